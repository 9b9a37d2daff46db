import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { RawClient } from '../protocols/http/raw-client.js';
import { callGrpc, putFile, successesOf } from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, bytesOf, get, infer, outputsOf, type Tensor } from './requests.js';
import { errorOf } from './sequence-steps.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

const models = ['upper', 'scale', 'head', 'optional', 'flaky', 'batched', 'mortal'];

const texts = (name: string, data: readonly string[], shape = [1, data.length]): Tensor => ({
  name,
  datatype: 'BYTES',
  shape,
  data,
});
const numbers = (name: string, data: readonly number[], shape = [1, data.length]): Tensor => ({
  name,
  datatype: 'INT32',
  shape,
  data,
});
const floats = (first: number): Tensor => {
  const data = [first, first + 1, first + 2, first + 3];
  return { name: 'INPUT0', datatype: 'FP32', shape: [1, 4], data, binary: true };
};

describe('models written in JavaScript', () => {
  let server: ServerProcess;
  let grpc: BytesClient;
  let idleBytes = 0;

  beforeAll(async () => {
    server = await ServerProcess.start({ models, flags: ['--model-control-mode=poll', '--repository-poll-secs=1'] });
    grpc = new BytesClient(server.grpcPort);
    idleBytes = await memoryUsed(server);
  });

  afterAll(async () => {
    grpc.close();
    // Blocks of rows are kept for the next requests.
    await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + 64 * 1024);
    await server.stop();
    expect(server.main.output).toContain("model 'upper', instance 'upper_0': bye, aborted: true");
  });

  const wish = async (what: string) => {
    const answer = await ask(server.httpPort, infer('flaky', [texts('WISH', [what])]));
    return answer.status === 200 ? outputsOf(answer).OUTPUT0 : errorOf(answer);
  };

  test('a model that is one file says what it is, and answers texts over HTTP', async () => {
    const { name, max_batch_size, backend } = await askJson(server.httpPort, get('/v2/models/upper/config'));
    expect({ name, max_batch_size, backend }).toEqual({ name: 'upper', max_batch_size: 8, backend: 'javascript' });
    expect(server.main.output).toContain("model 'upper', instance 'upper_0': upper 1 KIND_CPU -1");
    for (const binary of [false, true]) {
      const request = infer('upper', [{ ...texts('TEXT', ['conch', 'größe', '']), binary }]);
      expect(outputsOf(await ask(server.httpPort, request))).toEqual({ UPPER: ['CONCH', 'GRÖSSE', ''] });
    }
  });

  test('and over gRPC', async () => {
    const answer = await callGrpc(grpc, 'ModelInfer', {
      model_name: 'upper',
      id: 'one',
      inputs: [
        { name: 'TEXT', datatype: 'BYTES', shape: [1, 1], contents: { bytes_contents: [Buffer.from('shell')] } },
      ],
    });
    expect(answer).toMatchObject({
      id: 'one',
      outputs: [{ name: 'UPPER', datatype: 'BYTES', shape: ['1', '1'] }],
      raw_output_contents: [Buffer.from('\x05\0\0\0SHELL').toString('base64')],
    });
  });

  test('rows of several requests are one tensor', async () => {
    const answers = await Promise.all(
      [0, 10, 20].map((first) => ask(server.httpPort, infer('scale', [floats(first)]))),
    );
    for (const [nth, answer] of answers.entries()) {
      const first = nth * 10;
      expect(outputsOf(answer)).toEqual({ OUTPUT0: [0, 2, 4, 6].map((it) => it + 2 * first), ROWS: [3] });
    }
    const { model_stats } = await askJson(server.httpPort, get('/v2/models/scale/stats'));
    expect(model_stats[0].batch_stats.map((it: { batch_size: number }) => it.batch_size)).toEqual([3]);
    expect(await successesOf(server, 'scale')).toBe(3);
  });

  test('requests with and without a head share a batch', async () => {
    const heads = [{}, { id: 'a' }, { parameters: { more: true } }];
    const answers = await Promise.all(
      heads.map((head, nth) => ask(server.httpPort, infer('scale', [floats(nth)], { head }))),
    );
    const rows = answers.map((answer) => outputsOf(answer).ROWS);
    expect(rows).toEqual([[3], [3], [3]]);
    expect(answers.map((answer) => outputsOf(answer).OUTPUT0![0])).toEqual([0, 2, 4]);
  });

  test('a model is told what a request says beside its tensors: each its own', async () => {
    const request = (id: string, number: number) => {
      const parameters = { priority: 0, timeout: 5_000_000, mood: 'calm', big: 'BIG', half: 0.5, none: 'NONE' };
      const made = infer('head', [numbers('INPUT0', [number])], { head: { id, parameters } });
      // JSON.stringify cannot write them.
      const text = made.body.toString().replace('"BIG"', '12345678901234567890').replace('"NONE"', 'NaN');
      return { ...made, body: Buffer.from(text) };
    };
    for (const [id, number] of [
      ['first', 1],
      ['second', 2],
    ] as const) {
      const { HEAD, OTHER } = outputsOf(await ask(server.httpPort, request(id, number)));
      expect(OTHER).toEqual([0]);
      expect(JSON.parse(String(HEAD![0]))).toEqual({
        id,
        priority: 0,
        timeoutUs: 5_000_000,
        sequenceId: 0,
        requestedOutputs: ['HEAD', 'OTHER'],
        parameters: { mood: 'calm', big: '12345678901234567890n', half: 0.5, none: 'NaN' },
        number,
      });
    }
  });

  test('the same over gRPC, where heads that repeat are not read again', async () => {
    for (const id of ['x', 'y', '', 'z']) {
      const answer = (await callGrpc(grpc, 'ModelInfer', {
        model_name: 'head',
        id,
        parameters: { level: { int64_param: '3' }, least: { double_param: Number.NEGATIVE_INFINITY } },
        inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, 1] }],
        outputs: [{ name: 'HEAD' }],
        raw_input_contents: [Buffer.from(Int32Array.of(5).buffer)],
      })) as { raw_output_contents: string[] };
      const text = Buffer.from(answer.raw_output_contents[0]!, 'base64').toString('utf8', 4);
      const parameters = { level: 3, least: '-Infinity' };
      expect(JSON.parse(text)).toMatchObject({ id, requestedOutputs: ['HEAD'], parameters, number: 5 });
    }
  });

  test('inputs that a request leaves out are not there', async () => {
    const counts = async (...inputs: Tensor[]) =>
      outputsOf(await ask(server.httpPort, infer('optional', inputs))).COUNTS;
    expect(await counts()).toEqual([-1, -1]);
    expect(await counts(numbers('NUMBERS', [1, 2, 3], [3]))).toEqual([3, -1]);
    expect(await counts(texts('TEXTS', [], [0]))).toEqual([-1, 0]);
    expect(await counts(texts('TEXTS', ['a', 'b'], [2]), numbers('NUMBERS', [1], [1]))).toEqual([1, 2]);
  });

  test('an output may be larger than what was reserved for it', async () => {
    for (let round = 0; round < 2; round++) {
      const large = (await wish('large')) as number[];
      expect([large.length, large.every((value) => value === 1)]).toEqual([500_000, true]);
    }
    const mixed = await Promise.all(['large', 'good', 'large', 'good'].map(wish));
    expect(mixed.map((output) => output!.length)).toEqual([500_000, 1, 500_000, 1]);
  });

  test.each([
    ['fail', '404 as it wished'],
    ['throw', '500 thrown for one'],
    ['coded', '400 a bad value'],
    ['nothing', "500 execute() made no output 'OUTPUT0' for the request"],
    ['shape', "500 output 'OUTPUT0' of model 'flaky' was made with shape [1,2,3], expected [1,-1]"],
    ['rows', "500 output 'OUTPUT0' of model 'flaky' was made with shape [5,2], expected [1,-1]"],
    ['name', "500 model 'flaky' has no output 'OUTPUT1'; it has 'OUTPUT0'"],
    ['values', "500 output 'OUTPUT0' of model 'flaky' is FP32: expected 3 elements as its values, found 1"],
    ['texts', "500 output 'OUTPUT0' of model 'flaky' is FP32: expected numbers as its values, found string"],
  ])('a request fails for itself: %s', async (what, expected) => {
    expect(await Promise.all(['good', what, 'good', what].map(wish))).toEqual([[7], expected, [7], expected]);
  });

  test('the stack of what was thrown is in the log', async () => {
    await wish('throw');
    expect(server.main.output).toMatch(
      /model 'flaky', instance 'flaky_0': a request failed: Error: thrown for one.*model\.js:\d+/,
    );
  });

  test('what is thrown outside of a request fails what is not answered yet', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map((number) => ask(server.httpPort, infer('batched', [numbers('INPUT0', [number])]))),
    );
    expect(answers.map(errorOf)).toEqual(['500 one is refused', '500 two is too many', '500 two is too many']);
    await server.main.printed(/instance 'batched_0': execute\(\) failed: RangeError: two is too many/);
  });

  test.each([
    ['exit', /thread|exit|worker/i],
    ['reject', /nobody waits for this/],
    ['memory', /memory/i],
  ])('an instance that dies (%s) fails its request and comes back', async (how, reason) => {
    const answer = await ask(server.httpPort, infer('mortal', [texts('HOW', [how], [1])]));
    expect(errorOf(answer)).toMatch(/^500 instance 'mortal_0' of model 'mortal' died while it ran this request: /);
    expect(errorOf(answer)).toMatch(reason);
    await until('it is back', async () => {
      const again = await ask(server.httpPort, infer('mortal', [texts('HOW', ['live'], [1])]));
      return again.status === 200;
    });
  });

  test('a request that runs hears that its client is gone', async () => {
    const client = await RawClient.open(server.httpPort);
    await client.write(bytesOf(infer('mortal', [texts('HOW', ['wait'], [1])])));
    await server.main.printed(/waits for its client/);
    client.destroy();
    await server.main.printed(/its client is gone: true/);
    const next = await ask(server.httpPort, infer('mortal', [texts('HOW', ['live'], [1])]));
    expect(outputsOf(next)).toEqual({ OUTPUT0: [1] });
  });

  test('a module that changed is loaded anew', async () => {
    const source = `
      export function configure() {
        return {
          max_batch_size: 8,
          input: [{ name: 'TEXT', data_type: 'TYPE_STRING', dims: [-1] }],
          output: [{ name: 'UPPER', data_type: 'TYPE_STRING', dims: [-1] }],
        };
      }
      export function execute({ requests }) {
        for (const request of requests) request.output('UPPER', request.input('TEXT').shape, ['changed']);
      }`;
    await putFile(server, 'upper/1/model.js', source);
    await until('it answers otherwise', async () => {
      const { UPPER } = outputsOf(await ask(server.httpPort, infer('upper', [texts('TEXT', ['a'])])));
      return UPPER![0] === 'changed';
    });
  });
});
