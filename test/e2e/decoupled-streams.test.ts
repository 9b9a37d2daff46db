import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient, type ClientStream, status } from '../protocols/grpc/engine-fixture.js';
import {
  ask as askGrpc,
  firstInts,
  openStream,
  SERVICE,
  simpleRequest,
  streamResponses,
} from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { TestClient } from '../protocols/ws/socket-fixture.js';
import { memoryUsed, metric } from './metrics.js';
import { ask, askJson, get, post } from './requests.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

/** Where blocks of rows are kept for the next requests. */
const KEPT_BYTES = 4096;
/** Answers of the model, of 10 kB, that a client may leave unread, and one that is granted: with room to spare. */
const UNREAD_BYTES_MAX = 1_000_000;

const upTo = (count: number) => Array.from({ length: count }, (_, nth) => nth);

interface ModelStats {
  readonly inference_stats: { readonly success: { readonly count: number }; readonly fail: { readonly count: number } };
  readonly response_stats: Readonly<Record<string, Readonly<Record<string, { readonly count: number }>>>>;
}

describe.each(['conch', 'grpc-js'])('decoupled models over gRPC, engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;
  let idleBytes = 0;

  beforeAll(async () => {
    const flags = [`--grpc-engine=${engine}`, '--response-timeout-secs=2'];
    server = await ServerProcess.start({ models: ['repeat'], flags });
    client = new BytesClient(server.grpcPort);
    idleBytes = await memoryUsed(server);
  });

  afterEach(() => until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + KEPT_BYTES));

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  function requestTo(id: string, count: number, how: string, parameters = {}): Buffer {
    const text = Buffer.from(how);
    const string = Buffer.concat([Buffer.of(text.length, 0, 0, 0), text]);
    return encodeRequest({
      model_name: 'repeat',
      id,
      parameters,
      inputs: [
        { name: 'COUNT', datatype: 'INT32', shape: [1, 1] },
        { name: 'HOW', datatype: 'BYTES', shape: [1, 1] },
      ],
      raw_input_contents: [Buffer.from(Int32Array.of(count).buffer), string],
    });
  }

  /** `id: NTH` of each message, with a full stop where it is the last; errors as they are. */
  function heard({ messages }: Pick<ClientStream, 'messages'>): string[] {
    return streamResponses(messages).map(({ error_message, infer_response }) => {
      const { id, parameters, raw_output_contents = [] } = infer_response;
      const text = error_message || (raw_output_contents[0]?.readInt32LE() ?? '');
      return `${id}: ${text}${parameters?.triton_final_response?.bool_param ? '.' : ''}`;
    });
  }

  async function hear(...requests: Buffer[]): Promise<string[]> {
    const stream = openStream(client);
    for (const request of requests) stream.send(request);
    stream.halfClose();
    const outcome = await stream.outcome;
    expect(outcome.code).toBe(status.OK);
    return heard(outcome);
  }

  const answers = (id: string, count: number) => upTo(count).map((nth) => `${id}: ${nth}`);
  const wanted = { triton_enable_empty_final_response: { bool_param: true } };

  test.each([
    ['plain', 3, {}, answers('a', 3)],
    ['plain', 3, wanted, [...answers('a', 3), 'a: .']],
    ['plain', 0, wanted, ['a: .']],
    ['final', 2, wanted, ['a: 0', 'a: 1.']],
    ['later', 300, {}, answers('a', 300)],
    ['fails', 2, {}, [...answers('a', 2), 'a: enough.']],
    ['throws', 1, {}, ['a: 0', 'a: thrown between answers.']],
  ])('%s, %i times', async (how, count, parameters, expected) => {
    expect(await hear(requestTo('a', count, how, parameters))).toEqual(expected);
  });

  test('an answer has its parameters, and no outputs that were not made', async () => {
    const stream = openStream(client);
    for (const how of ['plain', 'some']) stream.send(requestTo(how, 1, how));
    stream.halfClose();
    const responses = streamResponses((await stream.outcome).messages);
    const [plain, some] = ['plain', 'some'].map(
      (how) => responses.find(({ infer_response }) => infer_response.id === how)!.infer_response,
    );
    expect(plain!.outputs.map(({ name }) => name)).toEqual(['NTH', 'TEXT']);
    expect(JSON.stringify(plain!.parameters)).toContain('"nth":{"int64_param":"0"}');
    expect(some!.outputs.map(({ name }) => name)).toEqual(['NTH']);
  });

  test('many requests on one stream: each is answered in its order', async () => {
    const hows = ['plain', 'later', 'unawaited', 'final'];
    const messages = await hear(...upTo(40).map((nth) => requestTo(`${nth}`, nth + 1, hows[nth % 4]!)));
    for (const id of upTo(40)) {
      const mine = messages.filter((text) => text.startsWith(`${id}:`)).map((text) => text.replace('.', ''));
      expect(mine).toEqual(answers(`${id}`, id + 1));
    }
  });

  test('an instance that dies between two answers fails its request once', async () => {
    const messages = await hear(requestTo('a', 1, 'dies'));
    expect(messages.at(-1)).toMatch(/^a: instance 'repeat_0' of model 'repeat' died.*\.$/);
    expect(messages.slice(0, -1).every((text) => text === 'a: 0')).toBe(true);
    await until('it is back', async () => (await hear(requestTo('a', 1, 'plain')))[0] === 'a: 0');
  });

  test('a client that goes cancels what it has asked for', async () => {
    const stream = openStream(client);
    stream.send(requestTo('a', 1, 'endless'));
    await until('some answers came', () => stream.messages.length > 20);
    stream.cancel();
    await server.main.printed(/endless ended, cancelled: true/);
  });

  test('a client that reads nothing holds its model up, fills no memory, and is cut off', async () => {
    const canceled = () => metric(server, 'nv_inference_request_failure', { model: 'repeat', reason: 'CANCELED' });
    const before = await canceled();
    const stream = openStream(client);
    stream.pause();
    stream.send(requestTo('a', 1, 'endless'));
    let most = 0;
    await until('it is cut off', async () => {
      most = Math.max(most, (await memoryUsed(server)) - idleBytes);
      return (await canceled()) > before;
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(UNREAD_BYTES_MAX);
    stream.resume();
    expect((await stream.outcome).code).toBe(engine === 'conch' ? status.RESOURCE_EXHAUSTED : status.UNAVAILABLE);
  });

  test('a unary call is refused, as is one over HTTP', async () => {
    const outcome = await client.unary(`${SERVICE}/ModelInfer`, requestTo('a', 1, 'plain'));
    expect([outcome.code, outcome.details]).toEqual([
      status.UNIMPLEMENTED,
      "ModelInfer RPC doesn't support models with decoupled transaction policy",
    ]);
    const answer = await ask(server.httpPort, post('/v2/models/repeat/infer', '{"inputs":[]}'));
    expect([answer.status, answer.body.toString()]).toEqual([
      501,
      '{"error":"HTTP end point doesn\'t support models with decoupled transaction policy"}',
    ]);
  });

  test('requests and their answers are counted', async () => {
    const stats = async () => {
      const { model_stats } = await askJson(server.httpPort, get('/v2/models/repeat/stats'));
      return (model_stats as [ModelStats])[0];
    };
    const before = await stats();
    await hear(requestTo('a', 3, 'plain'));
    await until('it has ended', async () => {
      const { inference_stats } = await stats();
      return inference_stats.success.count === before.inference_stats.success.count + 1;
    });
    const { response_stats, inference_stats } = await stats();
    expect(inference_stats.fail).toEqual(before.inference_stats.fail);
    const more = (place: string, kind: string) =>
      response_stats[place]![kind]!.count - (before.response_stats[place]?.[kind]?.count ?? 0);
    expect(['0', '1', '2', '3'].map((place) => [more(place, 'success'), more(place, 'empty_response')])).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
    const overGrpc = await askGrpc<{ model_stats: [ModelStats] }>(client, 'ModelStatistics', { name: 'repeat' });
    const { success } = overGrpc.model_stats[0].response_stats['2']!;
    expect(Number(success!.count)).toBe(response_stats['2']!.success!.count);
  });
});

test('a model of another backend that is called decoupled answers once', async () => {
  const edits = { simple_b64: (config: string) => `${config}\nmodel_transaction_policy { decoupled: true }\n` };
  const server = await ServerProcess.start({ models: ['simple_b64'], edits });
  const client = new BytesClient(server.grpcPort);
  const stream = openStream(client);
  for (let nth = 0; nth < 200; nth++) stream.send(encodeRequest(simpleRequest(nth, 1, `${nth}`)));
  stream.halfClose();
  const { messages, code } = await stream.outcome;
  expect([messages.length, code]).toEqual([200, status.OK]);
  for (const { infer_response } of streamResponses(messages)) {
    const nth = Number(infer_response.id);
    expect(firstInts(infer_response)).toEqual([nth + 1, nth - 1]);
    expect(infer_response.parameters.triton_final_response?.bool_param).toBe(true);
  }
  client.close();
  await server.stop();
});

describe('decoupled models over WebSocket', () => {
  let server: ServerProcess;
  let idleBytes = 0;
  const clients: TestClient[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['repeat'], flags: ['--response-timeout-secs=2'] });
    idleBytes = await memoryUsed(server);
  });

  afterEach(async () => {
    for (const { webSocket } of clients.splice(0)) webSocket.terminate();
    await until('all memory is given back', async () => (await memoryUsed(server)) <= idleBytes + KEPT_BYTES);
  });

  afterAll(() => server.stop());

  async function connect(query = ''): Promise<TestClient> {
    const client = new TestClient(`ws://127.0.0.1:${server.httpPort}/v2/models/repeat/infer${query}`, ['conch.v1']);
    clients.push(client);
    await new Promise((resolve) => client.webSocket.once('open', resolve));
    return client;
  }

  function requestTo(id: string, count: number, how: string, parameters = {}): string {
    const inputs = [
      { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [count] },
      { name: 'HOW', datatype: 'BYTES', shape: [1, 1], data: [how] },
    ];
    return JSON.stringify({ id, parameters, inputs });
  }

  /** `id: NTH`, with a full stop where it is the last; errors as they are. */
  function heard(client: TestClient): string[] {
    return client.texts().map((text) => {
      const { id, error, status: code, parameters, outputs } = JSON.parse(text);
      if (error !== undefined) return `${id}: ${code} ${error}`;
      return `${id}: ${outputs[0]?.data[0] ?? ''}${parameters.triton_final_response ? '.' : ''}`;
    });
  }

  test.each(['', '?ordered=1'])('each request hears its answers in order (%s)', async (query) => {
    const client = await connect(query);
    const wanted = { triton_enable_empty_final_response: true };
    for (const nth of upTo(20)) client.send(requestTo(`${nth}`, nth, nth % 2 ? 'plain' : 'later', wanted));
    await client.received(210);
    const messages = heard(client);
    const expected = upTo(20).map((id) => [...upTo(id).map((nth) => `${id}: ${nth}`), `${id}: .`]);
    for (const id of upTo(20)) expect(messages.filter((text) => text.startsWith(`${id}:`))).toEqual(expected[id]);
    if (query !== '') expect(messages).toEqual(expected.flat());
  });

  test('a cancel ends a request in the middle of its answers', async () => {
    const client = await connect();
    client.send(requestTo('a', 1, 'endless'));
    await client.received(20);
    client.send('{"cancel":"a"}');
    await server.main.printed(/endless ended, cancelled: true/);
    await until('it is told', () => heard(client).at(-1) === 'a: 499 the request was cancelled');
  });

  test('a client that reads nothing holds its model up, fills no memory, and is cut off', async () => {
    const client = await connect();
    client.webSocket.pause();
    client.send(requestTo('a', 1, 'endless'));
    let most = 0;
    const canceled = () => metric(server, 'nv_inference_request_failure', { model: 'repeat', reason: 'CANCELED' });
    const before = await canceled();
    await until('it is cut off', async () => {
      most = Math.max(most, (await memoryUsed(server)) - idleBytes);
      return (await canceled()) > before;
    });
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(UNREAD_BYTES_MAX);
    client.webSocket.resume();
    expect((await client.ended()).code).toBe(1006);
  });
});
