import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { Crowd } from './crowd.js';
import { chain, chainOutputs, chainSteps, countsOf, type EnsembleText, ensembleFiles, ways } from './ensembles.js';
import { memoryUsed, metric } from './metrics.js';
import {
  ask,
  binaryOutputs,
  bytesOf,
  get,
  infer,
  oneNumber,
  outputsOf,
  simpleInputs,
  type Tensor,
} from './requests.js';
import { errorOf } from './sequence-steps.js';
import { ServerProcess, type ServerSettings } from './server.js';
import { until } from './until.js';

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** One step whose tensors have the names of the ensemble's. */
const alone = (model: string): EnsembleText => ({
  maxBatchSize: 4,
  inputs: ['INPUT0 FP32 1'],
  outputs: ['OUTPUT0 FP32 1'],
  steps: [`${model} INPUT0=INPUT0 -> OUTPUT0=OUTPUT0`],
});

let server: ServerProcess;
let clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await server.stop();
});

async function start(settings: Omit<ServerSettings, 'models'> & { readonly models?: readonly string[] }) {
  server = await ServerProcess.start({ models: [], ...settings });
}

const policy = (text: string) => (config: string) =>
  config.replace('dynamic_batching { }', `dynamic_batching { default_queue_policy { ${text} } }`);

const pending = (model: string) => metric(server, 'nv_inference_pending_request_count', { model });

describe('a step that does not answer', () => {
  test.each(ways)('fails the request with its own code, and the ensemble is named: %s', async (_, call) => {
    const failing = { ...alone('fails_at_run'), inputs: ['INPUT0 INT64 1'] };
    await start({ models: ['fails_at_run'], files: ensembleFiles({ failing }) });
    const tensor = { name: 'INPUT0', datatype: 'INT64', shape: [1, 1], data: new Uint8Array(8).fill(77), binary: true };
    const got = await call(server, 'failing', [tensor as unknown as Tensor]);
    expect(got).toMatch(/^(500|13) in ensemble 'failing', onnx runtime error \d+: /);
    expect(await countsOf(server, 'failing')).toMatchObject({ success: 0, fail: 1, executions: 0 });
  });

  test('because its queue is full refuses the request with 503', async () => {
    await start({
      copies: { narrow: 'slow' },
      edits: { narrow: policy('max_queue_size: 1') },
      files: ensembleFiles({ queued: alone('narrow') }),
    });
    const requests = Array.from({ length: 24 }, (_, index) => infer('queued', oneNumber(index)));
    const { answers } = await Crowd.ask(server, requests);
    const refused = (await answers).filter((answer, index) => {
      if (answer.status !== 200) return true;
      expect(outputsOf(answer)).toEqual({ OUTPUT0: [index] });
      return false;
    });
    expect(new Set(refused.map(errorOf))).toEqual(new Set(["503 in ensemble 'queued', Exceeds maximum queue size"]));
    expect(await countsOf(server, 'queued')).toMatchObject({ success: 24 - refused.length, fail: refused.length });
  });

  test('within the time-out of the request lets it go', async () => {
    await start({
      copies: { hurried: 'slow' },
      edits: { hurried: policy('allow_timeout_override: true default_timeout_microseconds: 60000000') },
      files: ensembleFiles({ timed: alone('hurried') }),
    });
    // Two batches keep the instance busy for longer than the time-out of the last request.
    const busy = Array.from({ length: 8 }, (_, index) => infer('timed', oneNumber(index)));
    const late = infer('timed', oneNumber(9), { head: { parameters: { timeout: 1000 } } });
    const { answers } = await Crowd.ask(server, [...busy, late]);
    const last = (await answers).at(-1)!;
    expect(errorOf(last)).toBe("503 in ensemble 'timed', Request timeout expired");
  });
});

test('when clients hang up, the steps of their requests are let go', async () => {
  const steps = ['slow INPUT0=INPUT0 -> OUTPUT0=between', 'after INPUT0=between -> OUTPUT0=OUTPUT0'];
  const twice = { ...alone('slow'), steps };
  await start({ models: ['slow'], copies: { after: 'slow' }, files: ensembleFiles({ twice }) });
  expect(outputsOf(await ask(server.httpPort, infer('twice', oneNumber(1))))).toEqual({ OUTPUT0: [1] });
  const idle = await memoryUsed(server);
  const crowd = await Crowd.ask(
    server,
    Array.from({ length: 16 }, (_, index) => infer('twice', oneNumber(index))),
  );
  await until('some wait', async () => (await pending('slow')) > 0);
  for (const client of crowd.clients) client.destroy();
  await until('all are counted', async () => {
    const { success, fail } = await countsOf(server, 'twice');
    return success + fail === 17;
  });
  await until('nobody waits', async () => (await pending('slow')) + (await pending('after')) === 0);
  expect((await countsOf(server, 'twice')).fail).toBeGreaterThan(0);
  await until('memory is given back', async () => (await memoryUsed(server)) <= idle + 5 * 64 * 3);
});

test('a server that stops answers the requests that are on their way through an ensemble', async () => {
  const steps = ['slow INPUT0=INPUT0 -> OUTPUT0=between', 'after INPUT0=between -> OUTPUT0=OUTPUT0'];
  const twice = { ...alone('slow'), steps };
  await start({ models: ['slow'], copies: { after: 'slow' }, files: ensembleFiles({ twice }) });
  const { answers } = await Crowd.ask(
    server,
    Array.from({ length: 12 }, (_, index) => infer('twice', oneNumber(index))),
  );
  await until('some wait', async () => (await pending('slow')) > 0);
  server.signal('SIGTERM');
  expect((await answers).map(outputsOf)).toEqual(Array.from({ length: 12 }, (_, index) => ({ OUTPUT0: [index] })));
  expect(await server.main.exit).toBe(0);
});

test('when workers of steps die under load, each request is answered once, and all memory comes back', async () => {
  await start({
    copies: chainSteps,
    files: ensembleFiles({ chain }),
    nodeFlags: ['--import', fileOf('mortal-workers.mjs')],
  });
  const idle = await memoryUsed(server);
  let isOver = false;
  let served = 0;
  let failed = 0;
  clients = await Promise.all(Array.from({ length: 16 }, () => RawClient.open(server.httpPort)));
  const load = clients.map(async (client, index) => {
    for (let first = index * 10_000; !isOver; first++) {
      const answer = await client.ask(bytesOf(infer('chain', simpleInputs(first), { head: binaryOutputs })));
      if (answer!.status === 200) {
        const a = Array.from({ length: 16 }, (_, at) => first + at);
        expect(outputsOf(answer!)).toEqual(chainOutputs(a, new Array(16).fill(1)));
        served++;
      } else {
        const text = /^500 in ensemble 'chain', instance '\w+' of model '(first|second|third)' died while it ran/;
        expect(errorOf(answer!)).toMatch(text);
        failed++;
      }
    }
  });
  const isReady = async () => (await ask(server.httpPort, get('/v2/models/chain/ready'))).status === 200;
  const dooms = () => server.main.stdout.match(/^doomed$/gm)?.length ?? 0;
  for (let round = 1; round <= 4; round++) {
    const before = { served, failed };
    await until('the load flows', () => served > before.served + 100);
    server.signal('SIGUSR2');
    await until('the next batch kills its worker', () => dooms() === round);
    await until('its requests fail', () => failed > before.failed);
    await until('all instances are back', isReady);
  }
  isOver = true;
  await Promise.all(load);
  expect(await countsOf(server, 'chain')).toMatchObject({ success: served, fail: failed });
  // Four models keep a few blocks of rows, of two inputs.
  const kept = 4 * 5 * 64 * 2 * 64;
  await until('memory is given back', async () => (await memoryUsed(server)) <= idle + kept);
});

test('the main thread copies the tensors of a request once, however many steps there are', async () => {
  const wide: EnsembleText = {
    maxBatchSize: 8,
    inputs: ['INPUT0 FP32 -1'],
    outputs: ['OUTPUT0 FP32 -1'],
    steps: [
      'identity_fp32 INPUT0=INPUT0 -> OUTPUT0=one',
      'identity_fp32 INPUT0=one -> OUTPUT0=two',
      'identity_fp32 INPUT0=two -> OUTPUT0=OUTPUT0',
    ],
  };
  await start({
    models: ['identity_fp32'],
    files: ensembleFiles({ wide }),
    nodeFlags: ['--import', fileOf('count-copies.mjs')],
  });
  const data = Array.from({ length: 250_000 }, (_, index) => index);
  const tensor: Tensor = { name: 'INPUT0', datatype: 'FP32', shape: [1, data.length], data, binary: true };
  const copied = async (nth: number) => {
    server.signal('SIGUSR2');
    await until('it says so', () => (server.main.stdout.match(/^copied \d+$/gm)?.length ?? 0) === nth);
    return Number(/\d+/.exec(server.main.stdout.match(/^copied \d+$/gm)!.at(-1)!)![0]);
  };
  const before = await copied(1);
  for (let round = 0; round < 3; round++) {
    const answer = await ask(server.httpPort, infer('wide', [tensor], { head: binaryOutputs }));
    expect(outputsOf(answer)).toEqual({ OUTPUT0: data });
  }
  expect((await copied(2)) - before).toBe(3 * 4 * data.length);
});
