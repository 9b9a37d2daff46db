import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { countsOf, ensembleFiles, ways } from './ensembles.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, bytesOf, get, type HttpRequest, post, type Tensor } from './requests.js';
import { ServerProcess } from './server.js';
import { type Answer, SocketClient } from './socket-client.js';
import { until } from './until.js';

// Each answer of the decoupled step goes through two more, side by side.
const told = {
  maxBatchSize: 4,
  inputs: ['COUNT INT32 1', 'HOW STRING 1 optional'],
  outputs: ['NTH INT32 1', 'TEXT STRING -1'],
  steps: [
    'repeat COUNT=COUNT HOW=HOW -> NTH=nth TEXT=text',
    'identity_int32 INPUT0=nth -> OUTPUT0=NTH',
    'identity_bytes INPUT0=text -> OUTPUT0=TEXT',
  ],
};

let server: ServerProcess;
let idleBytes = 0;
const sockets: Socket[] = [];

beforeAll(async () => {
  server = await ServerProcess.start({
    models: ['repeat', 'identity_int32', 'identity_bytes'],
    files: ensembleFiles({ told }),
  });
  idleBytes = await memoryUsed(server);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  // Models keep a few blocks of rows, and have no more than that.
  await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + 16 * 1024);
});

afterAll(() => server.stop());

const request = (count: number, how: string): HttpRequest =>
  post('/v2/models/told/generate_stream', JSON.stringify({ COUNT: count, HOW: how }));

interface Event {
  readonly NTH?: number;
  readonly TEXT?: string;
  readonly error?: string;
}

/** The answers in the order in which they came, and the text of an error. */
async function hear(count: number, how: string): Promise<string[]> {
  const { body } = await ask(server.httpPort, request(count, how));
  const text = body.toString();
  const events = text === '' ? [] : text.trim().split('\n\n');
  return events.map((event) => {
    const { NTH, TEXT, error } = JSON.parse(event.slice('data: '.length)) as Event;
    return error ?? `${NTH}: ${TEXT}`;
  });
}

const upTo = (count: number) => Array.from({ length: count }, (_, nth) => `${nth}: answer ${nth}`);

test.each([
  ['plain', 3, upTo(3)],
  ['plain', 0, []],
  ['plain', 200, upTo(200)],
  ['final', 4, upTo(4)],
  ['later', 50, upTo(50)],
  ['unawaited', 30, upTo(30)],
])('answers of a decoupled step go on one by one, in their order: %s, %i times', async (how, count, expected) => {
  expect(await hear(count, how)).toEqual(expected);
});

test('the last answer says that it is the last, and nothing follows it', async () => {
  const client = await SocketClient.open(server.httpPort, '/v2/models/told/infer');
  const inputs = [
    { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [4] },
    { name: 'HOW', datatype: 'BYTES', shape: [1, 1], data: ['final'] },
  ];
  const parameters = { triton_enable_empty_final_response: true };
  client.send(JSON.stringify({ id: 'a', inputs, parameters }));
  const first = await client.answers(4);
  client.send(JSON.stringify({ id: 'b', inputs, parameters }));
  const all = [...first, ...(await client.answers(8)).slice(4)];
  const flags = all.map((answer) => {
    const { id, parameters: said, values } = answer as Answer & { parameters: Record<string, boolean> };
    return [id, said.triton_final_response, values.NTH];
  });
  expect(flags).toEqual(['a', 'b'].flatMap((id) => [0, 1, 2, 3].map((nth): unknown[] => [id, nth === 3, [nth]])));
  client.webSocket.close();
});

test('an output that an answer leaves out is missing in that of the ensemble', async () => {
  expect(await hear(1, 'some')).toEqual(['7: undefined']);
});

test('what fails between two answers ends the request with an error', async () => {
  const heard = await hear(3, 'fails');
  expect(heard.at(-1)).toBe("in ensemble 'told', enough");
  // Those that were on their way may have been overtaken.
  expect(upTo(3)).toEqual(expect.arrayContaining(heard.slice(0, -1)));
});

test('many requests at once: each hears its own answers in order', async () => {
  const hows = ['plain', 'later', 'unawaited', 'final'];
  const before = await countsOf(server, 'told');
  const heard = await Promise.all(Array.from({ length: 30 }, (_, nth) => hear(nth + 1, hows[nth % 4]!)));
  for (const [nth, answers] of heard.entries()) expect(answers).toEqual(upTo(nth + 1));
  expect((await countsOf(server, 'told')).success - before.success).toBe(30);
});

test('a client that does not read holds the step up and fills no memory; when it goes, the step hears of it', async () => {
  const socket = connect(server.httpPort, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  socket.pause();
  socket.write(bytesOf(request(1, 'endless')));
  await until('its answers wait', async () => (await memoryUsed(server)) > idleBytes + 20_000);
  expect(await hear(100, 'plain')).toEqual(upTo(100));
  expect(await memoryUsed(server)).toBeLessThan(idleBytes + 2_000_000);
  socket.destroy();
  await server.main.printed(/endless ended, cancelled: true/);
});

test.each(ways)('one answer is not to be had of it: %s', async (name, call) => {
  const count: Tensor = { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [2] };
  // On a WebSocket answers come one by one.
  if (name === 'WebSocket') expect(await call(server, 'told', [count])).toEqual({ NTH: [0], TEXT: ['answer 0'] });
  else expect(await call(server, 'told', [count])).toMatch(/decoupled/);
});

test('its configuration says that it is decoupled, though it was not written there', async () => {
  const config = await askJson(server.httpPort, get('/v2/models/told/config'));
  expect(config.model_transaction_policy).toEqual({ decoupled: true });
});

test('a client that reads nothing is cut off after --response-timeout-secs, and holds no memory then', async () => {
  const strict = await ServerProcess.start({
    models: ['repeat', 'identity_int32', 'identity_bytes'],
    files: ensembleFiles({ told }),
    flags: ['--response-timeout-secs=1'],
  });
  const idle = await memoryUsed(strict);
  const client = await SocketClient.open(strict.httpPort, '/v2/models/told/infer');
  client.webSocket.pause();
  const inputs = [
    { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [1] },
    { name: 'HOW', datatype: 'BYTES', shape: [1, 1], data: ['endless'] },
  ];
  client.send(JSON.stringify({ inputs }));
  await strict.main.printed(/endless ended, cancelled: true/);
  await until('its memory is given back', async () => (await memoryUsed(strict)) <= idle + 16 * 1024);
  expect(await countsOf(strict, 'told')).toMatchObject({ success: 0, fail: 1 });
  client.webSocket.terminate();
  await strict.stop();
});
