import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BytesClient, status } from '../protocols/grpc/engine-fixture.js';
import { type InferResponse, infer, openStream, streamResponses } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { CUT_WAYS, type Cut, CuttingRelay } from './cutting-relay.js';
import { memoryUsed, metric } from './metrics.js';
import { Random } from './random.js';
import { CALLED_MODELS, type CalledModel, floatsCall, type RandomCall, randomCall } from './random-calls.js';
import { ask, askJson, get } from './requests.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const MEGABYTE = 1024 * 1024;
const memoryOnSignal = fileURLToPath(new URL('memory-on-signal.mjs', import.meta.url));

/** In each of two halves. */
const CUTS = 50;
const VANISHING_AT_ONCE = 4;
const VANISHING_CALLS_MAX = 4;
const VANISHING_BYTES_MAX = 4 * MEGABYTE;

const STAYING_CLIENTS = 3;
const STAYING_CALLS = 16;
const STAYING_BYTES_MAX = 64 * 1024;

/** Models keep up to five blocks of rows: of `simple_b64` 64 rows of two inputs, of `slow` 4 rows of one number. */
const KEPT_BLOCKS_MAX = 5;
const SIMPLE_BLOCK_BYTES = 64 * 2 * 64;
const SLOW_BLOCK_BYTES = 64;

/** How much more the second half of the cuts may leave than the first. */
const LIVE_GROWTH_MAX = 2 * MEGABYTE;
/** Only coarse: pages of tensor memory that are used for the first time count here, and on a busy machine more requests are in flight at once. */
const RESIDENT_GROWTH_MAX = 1.3;

/** With VANISHING_SEED=... clients do what they did, though not at the very same moments. */
const seed = Number(process.env.VANISHING_SEED) || Math.ceil(Math.random() * 1e9);

/** Requests of one client or more, by model. */
class Tally {
  readonly sent = { identity_fp32: 0, identity_bytes: 0, simple_b64: 0, slow: 0 };
  readonly answered = { ...this.sent };

  /** Every bit of the answer is looked at. */
  check({ model, outputs }: RandomCall, { raw_output_contents: found }: InferResponse): void {
    const areRight = outputs.map((output, index) => found[index]?.equals(output));
    expect([model, found.length, areRight]).toEqual([model, outputs.length, outputs.map(() => true)]);
    this.answered[model]++;
  }
}

interface ModelStatistics {
  readonly inference_count: number;
  readonly inference_stats: { readonly success: { readonly count: number }; readonly fail: { readonly count: number } };
  readonly batch_stats: readonly { readonly batch_size: number; readonly compute_infer: { readonly count: number } }[];
}

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  let server: ServerProcess;
  let clients: BytesClient[];
  let staying: Tally;
  let vanishing: Tally;

  beforeEach(async () => {
    clients = [];
    staying = new Tally();
    vanishing = new Tally();
    server = await ServerProcess.start({
      models: CALLED_MODELS,
      flags: [`--grpc-engine=${engine}`, `--tensor-memory-byte-size=${192 * MEGABYTE}`],
      nodeFlags: ['--expose-gc', '--import', memoryOnSignal],
    });
  });

  afterEach(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });

  /** On a connection of its own. */
  function connect(port: number): BytesClient {
    const client = new BytesClient(port, { 'grpc.use_local_subchannel_pool': 1 });
    clients.push(client);
    return client;
  }

  /** Resolves with the status. */
  async function callAlone(client: BytesClient, call: RandomCall, tally: Tally): Promise<number> {
    tally.sent[call.model]++;
    const { code, response } = await infer(client, call.request);
    if (response !== null) tally.check(call, response);
    return code;
  }

  async function callInStream(client: BytesClient, calls: readonly RandomCall[], tally: Tally): Promise<number> {
    const stream = openStream(client);
    for (const { model, request } of calls) {
      tally.sent[model]++;
      stream.send(encodeRequest(request));
    }
    stream.halfClose();
    const { code, messages } = await stream.outcome;
    for (const [index, { error_message, infer_response }] of streamResponses(messages).entries()) {
      expect(error_message).toBe('');
      tally.check(calls[index]!, infer_response);
    }
    return code;
  }

  /** Calls all at once, and is cut off before it has all answers. */
  async function vanish(random: Random): Promise<void> {
    const count = 1 + random.below(VANISHING_CALLS_MAX);
    const calls = Array.from({ length: count }, () => randomCall(random, VANISHING_BYTES_MAX));
    const isStream = random.below(2) === 0;
    const relay = await CuttingRelay.open(server.grpcPort, randomCut(random, calls));
    const client = connect(relay.port);
    const outcomes = isStream
      ? [callInStream(client, calls, vanishing)]
      : calls.map((call) => callAlone(client, call, vanishing));
    const codes = await Promise.all(outcomes);
    expect(codes.every((code) => code === status.OK)).toBe(false);
    expect(relay.isStalled).toBe(true);
    await relay.closed;
    client.close();
  }

  /** All that vanish in one half. */
  async function vanishAll(half: number): Promise<void> {
    let next = 0;
    const lanes = Array.from({ length: VANISHING_AT_ONCE }, async () => {
      while (next < CUTS) await vanish(new Random(seed + half * CUTS + next++));
    });
    await Promise.all(lanes);
  }

  async function stay(random: Random, isOver: () => boolean): Promise<void> {
    const client = connect(server.grpcPort);
    while (!isOver()) {
      const calls = Array.from({ length: STAYING_CALLS }, () => randomCall(random, STAYING_BYTES_MAX));
      const alone = calls.slice(0, STAYING_CALLS / 2).map((call) => callAlone(client, call, staying));
      const streamed = callInStream(client, calls.slice(STAYING_CALLS / 2), staying);
      expect(new Set(await Promise.all([...alone, streamed]))).toEqual(new Set([status.OK]));
    }
  }

  async function vanishAmongOthers(half: number): Promise<void> {
    let isOver = false;
    const others = Array.from({ length: STAYING_CLIENTS }, (_, index) =>
      stay(new Random(-seed - half * STAYING_CLIENTS - index), () => isOver),
    );
    const all = vanishAll(half).finally(() => {
      isOver = true;
    });
    await Promise.all([all, ...others]);
    for (const client of clients.splice(0)) client.close();
  }

  /** The pages of tensor memory are there from now on. */
  async function warmUp(): Promise<void> {
    const client = connect(server.grpcPort);
    const calls = Array.from({ length: 4 }, () => floatsCall(new Random(seed), 16 * MEGABYTE));
    const codes = await Promise.all(calls.map((call) => callAlone(client, call, staying)));
    expect(codes).toEqual(calls.map(() => status.OK));
    client.close();
  }

  function socketsOfServer(): number {
    const folder = `/proc/${server.main.child.pid}/fd`;
    return readdirSync(folder).filter((name) => linkOf(`${folder}/${name}`).startsWith('socket:')).length;
  }

  async function areAllIdle(): Promise<boolean> {
    for (const model of CALLED_MODELS) {
      if ((await metric(server, 'nv_inference_pending_request_count', { model })) > 0) return false;
    }
    return areOnlyBlocks(await memoryUsed(server));
  }

  async function memoryAfterCollection(): Promise<{ live: number; resident: number }> {
    const before = server.main.stdout.length;
    server.signal('SIGUSR2');
    const pattern = /^memory: (\d+) live, (\d+) resident\n/m;
    await until('it has printed its memory', () => pattern.test(server.main.stdout.slice(before)));
    const [, live, resident] = pattern.exec(server.main.stdout.slice(before))!;
    return { live: Number(live), resident: Number(resident) };
  }

  /** Each request that the model has accepted has succeeded or was withdrawn, and each that has succeeded was in one batch. */
  async function expectSums(model: CalledModel): Promise<void> {
    const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
    const { inference_count, inference_stats, batch_stats } = model_stats[0] as ModelStatistics;
    const success = inference_stats.success.count;
    const fail = inference_stats.fail.count;
    const rows = batch_stats.reduce((sum, { batch_size, compute_infer }) => sum + batch_size * compute_infer.count, 0);
    expect([inference_count, rows]).toEqual([success, success]);
    const reason = 'CANCELED';
    expect(await metric(server, 'nv_inference_request_failure', { model, reason })).toBe(fail);
    expect(success).toBeGreaterThanOrEqual(staying.answered[model] + vanishing.answered[model]);
    expect(success + fail).toBeLessThanOrEqual(staying.sent[model] + vanishing.sent[model]);
  }

  test('a hundred clients vanish at random moments, under load: nobody else is touched, and nothing stays behind', {
    timeout: 60_000,
  }, async ({ onTestFailed }) => {
    onTestFailed(() => console.error(`VANISHING_SEED=${seed} repeats it`));
    const sockets = socketsOfServer();
    await warmUp();
    const memory: { live: number; resident: number }[] = [];
    for (const half of [0, 1]) {
      await vanishAmongOthers(half);
      await until('nothing waits, and all tensor memory is given back', areAllIdle);
      await until('all connections are closed', () => socketsOfServer() === sockets);
      memory.push(await memoryAfterCollection());
    }
    expect(staying.answered).toEqual(staying.sent);
    for (const model of CALLED_MODELS) await expectSums(model);
    expect(memory[1]!.live - memory[0]!.live).toBeLessThan(LIVE_GROWTH_MAX);
    expect(memory[1]!.resident / memory[0]!.resident).toBeLessThan(RESIDENT_GROWTH_MAX);
    expect((await ask(server.httpPort, get('/v2/health/ready'))).status).toBe(200);
    expect(server.main.output).not.toMatch(/^E\d/m);
    // `afterEach` expects exit code 0.
  });
});

function randomCut(random: Random, calls: readonly RandomCall[]): Cut {
  // Either way there is more than the tensors, so that the cut comes before the end.
  const bytes = calls.reduce((sum, { inputBytes }) => sum + inputBytes, 0);
  return {
    direction: random.pick(['to server', 'to client']),
    bytes: random.below(bytes),
    delayMs: random.pick([0, 0, 1, 5, 20]),
    way: random.pick(CUT_WAYS),
  };
}

/** Whole blocks of rows, and not one slot beside them. */
function areOnlyBlocks(bytes: number): boolean {
  const simple = Math.floor(bytes / SIMPLE_BLOCK_BYTES);
  const slow = (bytes % SIMPLE_BLOCK_BYTES) / SLOW_BLOCK_BYTES;
  return simple <= KEPT_BLOCKS_MAX && slow <= KEPT_BLOCKS_MAX;
}

/** '' = it is closed by now. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
