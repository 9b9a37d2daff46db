import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream, streamResponses } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { briefly, load, putFile, unload } from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, bytesOf, get, type HttpRequest, infer, outputsOf, post } from './requests.js';
import { errorOf, viewOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

interface Event {
  readonly LEFT?: number;
  readonly FLAGS?: number[];
  readonly ID?: string;
  readonly error?: string;
}

interface Counts {
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: { readonly success: { readonly count: number } };
  readonly batch_stats: readonly { readonly batch_size: number; readonly compute_infer: { readonly count: number } }[];
}

const NEVER = 1_000_000_000;
const down = (from: number) => Array.from({ length: from }, (_, nth) => from - nth);
const oldest = 'oldest { max_candidate_sequences: 16 }';
const once = (text: string) => text.replace('decoupled: true', 'decoupled: false');

describe.each(['oldest', 'direct'])('an iterative model written in JavaScript, strategy %s', (strategy) => {
  let server: ServerProcess;
  let idleBytes = 0;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    const strategic = (text: string) => (strategy === 'oldest' ? text : text.replace(oldest, 'direct { }'));
    server = await ServerProcess.start({
      models: ['countdown'],
      copies: { once: 'countdown', plain: 'countdown' },
      edits: {
        ...(strategy === 'direct' && { countdown: strategic }),
        once: (text) => once(strategic(text)),
        plain: (text) => once(strategic(text.replace('iterative_sequence: true', ''))),
      },
      flags: ['--model-control-mode=explicit', '--load-model=*'],
    });
    idleBytes = await memoryUsed(server);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + 64 * 1024);
    await until('no sequence is left', async () => (await viewOf(server, 'countdown')).live.length === 0);
  });

  afterAll(() => server.stop());

  const request = (count: number, how = '', parameters: object = {}): HttpRequest =>
    post('/v2/models/countdown/generate_stream', JSON.stringify({ COUNT: count, HOW: how, ...parameters }));

  const eventsOf = (text: string): Event[] =>
    text === ''
      ? []
      : text
          .trim()
          .split('\n\n')
          .map((event) => JSON.parse(event.slice('data: '.length)) as Event);

  async function hear(count: number, how = '', parameters: object = {}): Promise<Event[]> {
    return eventsOf((await ask(server.httpPort, request(count, how, parameters))).body.toString());
  }

  const heard = async (...what: Parameters<typeof hear>) =>
    (await hear(...what)).map(({ LEFT, error }) => LEFT ?? error ?? 'neither');

  /** Asks on a connection that the test ends. */
  function open(count: number, how = ''): Socket {
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytesOf(request(count, how)));
    sockets.push(socket);
    return socket;
  }

  async function counts(model: string): Promise<Counts> {
    const { model_stats } = await askJson(server.httpPort, get(`/v2/models/${model}/stats`));
    return (model_stats as Counts[])[0]!;
  }

  const countOnce = (count: number, { how = '', model = 'once', parameters = {} } = {}) =>
    ask(
      server.httpPort,
      infer(
        model,
        [
          { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [count] },
          { name: 'HOW', datatype: 'BYTES', shape: [1, 1], data: [how] },
        ],
        { head: { parameters } },
      ),
    );

  test('a request runs until its last answer, with START in the first run alone, under an id that is no client’s', async () => {
    const events = await hear(4);
    expect(events.map(({ LEFT }) => LEFT)).toEqual([4, 3, 2, 1]);
    expect(events.map(({ FLAGS }) => FLAGS)).toEqual([[1, 0, 1, 0], ...Array.from({ length: 3 }, () => [0, 0, 0, 0])]);
    const ids = new Set(events.map(({ ID }) => ID));
    expect(ids.size).toBe(1);
    expect(BigInt([...ids][0]!)).toBeGreaterThan(2n ** 63n);
    const { ended } = await viewOf(server, 'countdown');
    expect(ended[0]).toMatchObject({
      sequence_id: 0,
      reason: 'end',
      cause: 'its last request was answered',
      requests_done: 1,
    });
  });

  test('many at once, of different lengths, share executions; each counts once', async () => {
    const before = await counts('countdown');
    const lengths = Array.from({ length: 24 }, (_, nth) => 1 + ((nth * 7) % 23));
    const all = await Promise.all(lengths.map((length) => heard(length)));
    expect(all).toEqual(lengths.map(down));
    const after = await counts('countdown');
    const runs = lengths.reduce((sum, length) => sum + length, 0);
    expect(after.inference_count - before.inference_count).toBe(lengths.length);
    expect(after.inference_stats.success.count - before.inference_stats.success.count).toBe(lengths.length);
    expect(after.execution_count - before.execution_count).toBeLessThan(runs / 2);
  });

  test('others join one that runs, and leave before it', async () => {
    const socket = open(NEVER);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    await until('it runs', () => text.includes(String(NEVER - 20)));
    const before = await counts('countdown');
    expect(await Promise.all([heard(30), heard(10)])).toEqual([down(30), down(10)]);
    const shared = ({ batch_stats }: Counts) =>
      batch_stats
        .filter(({ batch_size }) => batch_size > 1)
        .reduce((sum, { compute_infer }) => sum + compute_infer.count, 0);
    expect(shared(await counts('countdown')) - shared(before)).toBeGreaterThan(5);
    const length = text.length;
    await until('it still runs', () => text.length > length);
  });

  test('a client that goes ends its request and frees the slot', async () => {
    const ended = async () =>
      (await viewOf(server, 'countdown')).ended.filter(({ reason }) => reason === 'cancelled').length;
    const before = await ended();
    const many = Array.from({ length: 20 }, () => open(NEVER));
    for (const socket of many) socket.resume();
    await until('all slots are taken', async () => {
      const { live } = await viewOf(server, 'countdown');
      return live.some(({ state }) => state === 'backlog');
    });
    for (const socket of many) socket.destroy();
    await until('all are over', async () => (await viewOf(server, 'countdown')).live.length === 0);
    expect(await ended()).toBeGreaterThan(before);
    expect(await heard(3)).toEqual([3, 2, 1]);
  });

  test('a client that does not read holds its own request up, and nobody else’s', async () => {
    open(NEVER).pause();
    const grown = async () => (await memoryUsed(server)) > idleBytes;
    await until('its answers wait', grown);
    expect(await heard(100)).toEqual(down(100));
    expect(await memoryUsed(server)).toBeLessThan(idleBytes + 1_000_000);
  });

  test('an error in a later run is that request’s last answer', async () => {
    expect(await heard(3, 'throws')).toEqual([3, 2, 'thrown in the last run']);
    const { ended } = await viewOf(server, 'countdown');
    expect(ended[0]).toMatchObject({ sequence_id: 0 });
  });

  interface Said {
    readonly id?: string;
    readonly count: number;
    readonly sequenceId?: string;
    readonly flags?: string;
  }

  /** What is heard on one stream: `ID LEFT`, or the text of an error. */
  async function overGrpc(...requests: Said[]): Promise<string[]> {
    const grpc = new BytesClient(server.grpcPort);
    const stream = openStream(grpc);
    for (const { id = '', count, sequenceId, flags = '' } of requests) {
      stream.send(
        encodeRequest({
          model_name: 'countdown',
          id,
          inputs: [{ name: 'COUNT', datatype: 'INT32', shape: [1, 1] }],
          raw_input_contents: [Buffer.from(Int32Array.of(count).buffer)],
          ...(sequenceId !== undefined && {
            parameters: {
              sequence_id: { int64_param: sequenceId },
              sequence_start: { bool_param: flags.includes('s') },
              sequence_end: { bool_param: flags.includes('e') },
            },
          }),
        }),
      );
    }
    stream.halfClose();
    await stream.outcome;
    grpc.close();
    return streamResponses(stream.messages).map(({ infer_response: answer, error_message: error }) => {
      if (error) return error;
      const { id, raw_output_contents: outputs } = answer!;
      const name = id === '' ? outputs.at(-1)!.subarray(4).toString() : id;
      return `${name} ${outputs.find(({ length }) => length === 4)!.readInt32LE()}`;
    });
  }

  const named = (name: string, count: number) => down(count).map((left) => `${name} ${left}`);

  test('a client’s id is used, needs START, and is free when its request is answered', async () => {
    for (let nth = 0; nth < 2; nth++) {
      expect(await overGrpc({ count: 3, sequenceId: '77', flags: 's' })).toEqual(named('77', 3));
    }
    const [refused] = await overGrpc({ count: 3, sequenceId: '77' });
    expect(refused).toMatch(/must specify the START flag .*\(its last request was answered\)/);
    expect(await overGrpc({ count: 2, sequenceId: '78', flags: 'se' })).toEqual(named('78', 2));
  });

  test('ids of ours are refused', async () => {
    const [refused] = await overGrpc({ count: 1, sequenceId: String(-(2n ** 63n)), flags: 's' });
    expect(refused).toContain("correlation ID '9223372036854775808' to model 'countdown' is not a client's");
  });

  test('over a gRPC stream, many on one', async () => {
    const lengths = [5, 1, 12, 3];
    const said = await overGrpc(...lengths.map((count) => ({ count, id: `n${count}` })));
    for (const length of lengths) {
      expect(said.filter((text) => text.startsWith(`n${length} `))).toEqual(named(`n${length}`, length));
    }
  });

  test('one that answers once runs again until it does', async () => {
    const before = await counts('once');
    const answers = await Promise.all([7, 1, 12].map((count) => countOnce(count)));
    for (const answer of answers) expect(outputsOf(answer)).toMatchObject({ LEFT: [1] });
    expect(answers.map((answer) => outputsOf(answer).FLAGS)).toEqual([
      [0, 0, 0, 0],
      [1, 0, 1, 0],
      [0, 0, 0, 0],
    ]);
    const after = await counts('once');
    expect(after.inference_count - before.inference_count).toBe(3);
    expect(after.execution_count - before.execution_count).toBeGreaterThanOrEqual(12);
    expect(errorOf(await countOnce(5, { how: 'fails' }))).toBe('503 failed between runs');
  });

  test('a model that is not iterative is told so, and only that request fails', async () => {
    const start = { sequence_id: 5, sequence_start: true };
    expect(errorOf(await countOnce(2, { model: 'plain', parameters: start }))).toBe(
      '500 reschedule() is for models with sequence_batching { iterative_sequence: true }',
    );
    expect(errorOf(await countOnce(2, { model: 'plain' }))).toContain(
      'must specify a non-zero or non-empty correlation ID',
    );
    expect(outputsOf(await countOnce(1, { model: 'plain', parameters: start })).LEFT).toEqual([1]);
  });

  test('a request goes on in the version that has its state, while another is loaded and when that is unloaded', async () => {
    let text = '';
    const socket = open(3000, 'slow');
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    await until('it runs', () => text.includes('"LEFT":2990'));
    const module = await readFile(join(server.repository, 'countdown/1/model.js'));
    await putFile(server, 'countdown/1/model.js', Buffer.concat([module, Buffer.from('// Anew.\n')]));
    expect(briefly(await load(server, 'countdown'))).toBe('200');
    expect(await heard(2)).toEqual([2, 1]);
    expect(text).not.toContain('"LEFT":1,');
    expect(briefly(await unload(server, 'countdown'))).toBe('200');
    await until('it ends', () => text.includes('"LEFT":1,'));
    expect(briefly(await load(server, 'countdown'))).toBe('200');
  });

  test('the death of its instance fails it once, and those that wait are served by the next', async () => {
    const all = await Promise.all([heard(3, 'dies'), ...[40, 50, 60].map((length) => heard(length))]);
    expect(all[0]!.slice(0, -1)).toEqual([3, 2].slice(0, all[0]!.length - 1));
    for (const one of all) {
      if (one.at(-1) !== 1) expect(one.at(-1)).toMatch(/instance 'countdown_0' (of model 'countdown' )?died/);
    }
    await until('it is back', async () => (await heard(1))[0] === 1);
  });
});
