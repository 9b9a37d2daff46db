import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { addsOf, plusFiles, successesOf } from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, bytesOf, infer, outputsOf, post, type Tensor } from './requests.js';
import { errorOf } from './sequence-steps.js';
import { ServerProcess, type ServerSettings } from './server.js';
import { until } from './until.js';

const wishTensor = (how: string): Tensor => ({ name: 'HOW', datatype: 'BYTES', shape: [1], data: [how] });
const floats = (data: readonly number[]): Tensor => ({
  ...{ name: 'INPUT0', datatype: 'FP32', shape: [data.length], binary: true },
  data,
});
const wish = (how: string, data: readonly number[] | null = null) =>
  infer('caller', data === null ? [wishTensor(how)] : [wishTensor(how), floats(data)]);

/** An ensemble of these models, one behind the other. */
function ensembleFiles(name: string, models: readonly string[]): Record<string, Uint8Array> {
  const tensor = (nth: number) => (nth === 0 ? 'INPUT0' : nth === models.length ? 'OUTPUT0' : `t${nth}`);
  const steps = models.map(
    (model, nth) =>
      `step { model_name: "${model}" model_version: -1 input_map { key: "INPUT0" value: "${tensor(nth)}" } output_map { key: "OUTPUT0" value: "${tensor(nth + 1)}" } }`,
  );
  const config = `platform: "ensemble"
max_batch_size: 8
input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
ensemble_scheduling { ${steps.join('\n')} }`;
  return { [`${name}/config.pbtxt`]: Buffer.from(config), [`${name}/1/.gitkeep`]: Buffer.from('') };
}

const to = (name: string) => (config: string) => config.replace('string_value: "one"', `string_value: "${name}"`);

const settings: ServerSettings = {
  models: [
    ...['caller', 'forward', 'relay', 'repeat', 'upper', 'head', 'flaky'],
    ...['accumulator', 'multi_version', 'identity_fp32'],
  ],
  files: {
    ...plusFiles('one', 1),
    ...plusFiles('ten', 10),
    ...ensembleFiles('eleven', ['one', 'ten']),
    ...ensembleFiles('around', ['one', 'back']),
  },
  copies: { a: 'relay', b: 'relay', c: 'relay', back: 'relay' },
  edits: { a: to('b'), b: to('c'), c: to('a'), back: to('around') },
  flags: ['--tensor-memory-byte-size=67108864'],
};

describe('models written in JavaScript call others', () => {
  let server: ServerProcess;
  let idleBytes = 0;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start(settings);
    // Blocks of rows are kept for the next requests.
    await Promise.all(['one', 'ten', 'eleven', 'multi_version'].map((model) => addsOf(server, model)));
    await Promise.all([want('sequence'), want('two'), want('head'), want('stream')]);
    idleBytes = await memoryUsed(server);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + 16 * 1024);
  });

  afterAll(() => server.stop());

  async function want(how: string, data: readonly number[] | null = null) {
    const answer = await ask(server.httpPort, wish(how, data));
    return answer.status === 200 ? outputsOf(answer).OUTPUT0 : errorOf(answer);
  }

  function open(request: ReturnType<typeof wish>): Socket {
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytesOf(request));
    sockets.push(socket);
    return socket;
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, nth) => nth);

  test.each([
    ['one', [2]],
    ['two', [2, 11]],
    ['borrowed', [2, 11]],
    ['ensemble', [12]],
    ['versions', [3, 2, 1]],
    ['texts', [1, 1, 2]],
    ['sequence', [0, 0, 7]],
    ['stream', upTo(50)],
    ['streamBorrowed', upTo(50)],
    ['streamOfOne', [2]],
    ['leave', [0, 1, 2]],
    ['caught', [1]],
  ])('%s', async (how, expected) => {
    expect(await want(how)).toEqual(expected);
  });

  test.each([
    ['unknown', "404 Request for unknown model: 'nobody' is not found"],
    ['version', "404 Request for unknown model: 'one' version 9 is not found"],
    ['shape', /^400 .*unexpected shape for input 'INPUT0' for model 'one'/],
    ['elements', "500 input 'INPUT0' of a call of model 'one' is FP32: expected 1 elements as its values, found 2"],
    ['input', /^400 .*unexpected inference input 'INPUT1' for model 'one'/],
    ['output', "400 unexpected inference output 'OUTPUT1' for model 'one'"],
    ['noOutput', "500 the answer of model 'one' has no output 'OUTPUT1'; it has 'OUTPUT0'"],
    ['decoupled', "400 model 'repeat' answers a request any number of times: call it with inferStream()"],
    ['failing', '404 as it wished'],
    ['streamFails', '503 enough'],
    ['memory', /^429 .*memory/],
    ['aborted', /^400 the call of model 'one' was cancelled/],
    ['self', "400 model 'caller' cannot call model 'caller', which would wait for it: caller -> caller"],
  ])(
    'what keeps a call from being answered is what its caller says, where it does not catch it: %s',
    async (how, expected) => {
      const said = await want(how);
      if (typeof expected === 'string') expect(said).toBe(expected);
      else expect(said).toMatch(expected);
    },
  );

  test('the stack of a failed call leads to the code that called', async () => {
    await want('unknown');
    await server.main.printed(/a request failed: Error: Request for unknown model: 'nobody'.*model\.js:\d+/);
  });

  test('the head of a call is that of a client', async () => {
    expect(await want('head')).toEqual([1]);
    const [, text] = await server.main.printed(/head: (\{.*\})/);
    expect(JSON.parse(JSON.parse(`"${text}"`))).toEqual({
      id: 'x',
      priority: 0,
      timeoutUs: 9_000_000,
      sequenceId: 0,
      requestedOutputs: ['HEAD'],
      parameters: { mood: 'calm', big: '9223372036854775808n', half: 0.5 },
      number: 5,
    });
  });

  test('an answer is there as long as it is kept; one that was borrowed, until execute has ended', async () => {
    expect(await want('keep', [1, 2, 3])).toEqual([1]);
    await want('same', [4, 5, 6]);
    expect(await want('recall')).toEqual([1, 2, 3]);
    expect(await want('keepBorrowed', [1, 2, 3])).toEqual([1]);
    expect(await want('recall')).toBe("500 the answer of model 'identity_fp32' was released: nothing of it is left");
  });

  test('a stream that nobody goes on with ends with its request', async () => {
    for (let round = 0; round < 20; round++) expect(await want('drop')).toEqual([1]);
  });

  test('a call that nobody waits for goes on, where its inputs are not those of the request', async () => {
    expect(await want('forgets', [1])).toEqual([1]);
    await server.main.printed(/forgotten: 2/);
    await server.main.printed(
      /forgotten: CANCELLED execute\(\) ended before its call of model 'identity_fp32' was sent/,
    );
  });

  test('many at once, of random sizes, each with its own numbers', async () => {
    const sizes = Array.from({ length: 200 }, () => 1 + Math.floor(Math.random() ** 4 * 60_000));
    const before = await successesOf(server, 'identity_fp32');
    const answers = await Promise.all(
      sizes.map(async (size, nth) => {
        const data = Array.from({ length: size }, (_, at) => (at + nth) % 1000);
        return [await want(nth % 2 === 0 ? 'same' : 'sameBorrowed', data), data];
      }),
    );
    for (const [answer, data] of answers) expect(answer).toEqual(data);
    expect((await successesOf(server, 'identity_fp32')) - before).toBe(sizes.length);
  });

  test('a batch as a whole is one call', async () => {
    const before = await successesOf(server, 'one');
    expect(await addsOf(server, 'relay')).toBe(1);
    expect(await successesOf(server, 'one')).toBe(before + 1);
  });

  test('a cycle is refused, with the models that it goes over', async () => {
    const errors = await Promise.all(['a', 'b', 'c'].map((model) => addsOf(server, model)));
    const cycles = ['a -> b -> c -> a', 'b -> c -> a -> b', 'c -> a -> b -> c'];
    for (const error of errors) {
      expect(error).toMatch(/^400 model '[abc]' cannot call model '[abc]', which would wait for it: /);
      expect(cycles).toContain(String(error).split(': ')[1]);
    }
  });

  test('also over an ensemble', async () => {
    const cycle = "model 'back' cannot call model 'around', which would wait for it: back -> around -> back";
    expect(await addsOf(server, 'back')).toBe(`400 ${cycle}`);
    expect(await addsOf(server, 'around')).toContain(cycle);
  });

  test('a call ends when the client of its request is gone', async () => {
    const socket = open(wish('waits'));
    await server.main.printed(/instance 'repeat_0': waits"$/m);
    socket.destroy();
    await server.main.printed(/waits ended: CANCELLED the call of model 'repeat' was cancelled/);
    await server.main.printed(/waits no more/);
  });

  const forwarded = (count: number, how: string) =>
    post('/v2/models/forward/generate_stream', JSON.stringify({ COUNT: count, HOW: how }));

  test('answers of a decoupled model pass through another', async () => {
    const { body } = await ask(server.httpPort, forwarded(100, 'plain'));
    const events = body.toString().trim().split('\n\n');
    expect(events.map((event) => JSON.parse(event.slice('data: '.length)).NTH)).toEqual(upTo(100));
  });

  test('a client that does not read holds up all of them, and all hear that it is gone', async () => {
    const socket = open(forwarded(1, 'endless'));
    socket.pause();
    await until('answers wait', async () => (await memoryUsed(server)) > idleBytes + 60_000);
    expect(await want('stream')).toEqual(upTo(50));
    expect(await memoryUsed(server)).toBeLessThan(idleBytes + 1_000_000);
    socket.destroy();
    await server.main.printed(/forwarded, cancelled: true/);
    await server.main.printed(/endless ended, cancelled: true/);
  });

  test('an instance that dies in the midst of calls takes none of the memory along', async () => {
    expect(await want('dies', [1, 2, 3])).toMatch(/^500 instance 'caller_0' of model 'caller' died/);
    await until('it is back', async () => (await ask(server.httpPort, wish('one'))).status === 200);
    expect(await want('two')).toEqual([2, 11]);
  });
});

test('what a running request calls is there until the server has answered it', async () => {
  const server = await ServerProcess.start({ ...settings, models: ['caller'], copies: {}, edits: {}, files: plusPair });
  const answer = ask(server.httpPort, wish('late'));
  await server.main.printed(/late begins/);
  const stopped = server.stop();
  expect(outputsOf(await answer)).toEqual({ OUTPUT0: [310] });
  await stopped;
});

const plusPair = { ...plusFiles('one', 1), ...plusFiles('ten', 10) };
