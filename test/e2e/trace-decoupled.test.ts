import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { RawClient } from '../protocols/http/raw-client.js';
import { ask, bytesOf, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { SocketClient } from './socket-client.js';
import { TraceFile } from './traces.js';

const traces = new TraceFile();

const traceFlags = (...levels: readonly string[]) => traces.flags('rate=1', ...levels.map((level) => `level=${level}`));

/** What happened to the one request, in its order. */
function story(): string {
  const objects = traces.read();
  expect(objects.filter(({ model_name }) => model_name !== undefined)).toHaveLength(1);
  const stamps = objects.flatMap(({ timestamps }) => timestamps ?? []);
  expect(stamps.map(({ ns }) => ns)).toEqual(stamps.map(({ ns }) => ns).toSorted((a, b) => a - b));
  return stamps.map(({ name }) => name).join(' ');
}

const accepted = 'REQUEST_START QUEUE_START COMPUTE_START COMPUTE_INPUT_END';

/** How often each name is in a story. */
function countsIn(text: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of text.split(' ')) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const each = {
  REQUEST_START: 1,
  QUEUE_START: 1,
  COMPUTE_START: 1,
  COMPUTE_INPUT_END: 1,
  COMPUTE_OUTPUT_START: 1,
  COMPUTE_END: 1,
  REQUEST_END: 1,
};

function count(model: string, COUNT: number, id: string, endpoint = 'generate_stream') {
  return post(`/v2/models/${model}/${endpoint}`, JSON.stringify({ id, COUNT }));
}

onEachEngine((engine) => {
  const start = (model: string, ...levels: string[]) =>
    ServerProcess.start({ engine, models: [model], flags: traceFlags(...levels) });

  test('generate: a model that answers once', async () => {
    const server = await start('identity_bytes', 'TIMESTAMPS');
    const request = post('/v2/models/identity_bytes/generate', JSON.stringify({ id: 'r', INPUT0: 'x' }));
    expect((await ask(server.httpPort, request)).status).toBe(200);
    await server.stop();
    expect(story()).toBe(
      `HTTP_RECV_START HTTP_RECV_END ${accepted} COMPUTE_OUTPUT_START COMPUTE_END REQUEST_END INFER_RESPONSE_COMPLETE HTTP_SEND_START HTTP_SEND_END`,
    );
    expect(traces.read()[0]).toMatchObject({ model_name: 'identity_bytes', request_id: 'r' });
  });

  test('generate_stream: each answer of a decoupled model', async () => {
    const server = await start('repeat', 'TIMESTAMPS');
    expect((await ask(server.httpPort, count('repeat', 3, 'r'))).status).toBe(200);
    await server.stop();
    const counts = countsIn(story());
    // Three answers and the empty last one.
    expect(counts).toEqual({
      ...each,
      HTTP_RECV_START: 1,
      HTTP_RECV_END: 1,
      INFER_RESPONSE_COMPLETE: 4,
      HTTP_SEND_START: 4,
      HTTP_SEND_END: 1,
    });
  });

  test('generate_stream: a model that runs again and again', async () => {
    const server = await start('countdown', 'TIMESTAMPS');
    expect((await ask(server.httpPort, count('countdown', 3, 'r'))).status).toBe(200);
    await server.stop();
    expect(countsIn(story())).toMatchObject({ ...each, INFER_RESPONSE_COMPLETE: 3, HTTP_SEND_END: 1 });
  });

  test('generate_stream: a client that goes away ends the trace', async () => {
    const server = await start('repeat', 'TIMESTAMPS');
    const client = await RawClient.open(server.httpPort);
    const answered = once(client.socket, 'data');
    const body = JSON.stringify({ COUNT: 1, HOW: 'endless' });
    await client.write(bytesOf(post('/v2/models/repeat/generate_stream', body)));
    await answered;
    client.destroy();
    await server.main.printed(/endless ended/);
    await server.stop();
    expect(countsIn(story())).toMatchObject({ ...each, HTTP_SEND_END: 1 });
  });

  test('WebSocket: each answer of a decoupled model', async () => {
    const server = await start('repeat', 'TIMESTAMPS');
    const client = await SocketClient.open(server.httpPort, '/v2/models/repeat/infer');
    client.send(JSON.stringify({ id: 'r', inputs: [{ name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [2] }] }));
    await client.answers(2);
    client.webSocket.close();
    await server.stop();
    expect(countsIn(story())).toMatchObject({ ...each, INFER_RESPONSE_COMPLETE: 3, HTTP_SEND_END: 1 });
  });

  test('level TENSORS: the input once, and the outputs of each answer', async () => {
    const server = await start('repeat', 'TENSORS');
    expect((await ask(server.httpPort, count('repeat', 2, 'r'))).status).toBe(200);
    await server.stop();
    const found = traces
      .read()
      .flatMap(({ activity, tensor }) => (tensor === undefined ? [] : [{ activity, ...tensor }]));
    const texts = found.map(({ activity, name, data }) => `${activity} ${name}=${data}`);
    expect(texts).toEqual([
      'TENSOR_QUEUE_INPUT COUNT=2',
      'TENSOR_BACKEND_OUTPUT NTH=0',
      'TENSOR_BACKEND_OUTPUT TEXT="answer 0"',
      'TENSOR_BACKEND_OUTPUT NTH=1',
      'TENSOR_BACKEND_OUTPUT TEXT="answer 1"',
      'TENSOR_BACKEND_INPUT COUNT=2',
    ]);
  });
});

describe.each(['conch', 'grpc-js'])('engine %s', (engine) => {
  test('each answer of a decoupled model on a stream', async () => {
    const flags = [...traceFlags('TIMESTAMPS'), `--grpc-engine=${engine}`];
    const server = await ServerProcess.start({ models: ['repeat'], flags });
    const client = new BytesClient(server.grpcPort);
    const stream = openStream(client);
    stream.send(
      encodeRequest({
        model_name: 'repeat',
        id: 'r',
        inputs: [{ name: 'COUNT', datatype: 'INT32', shape: [1, 1] }],
        raw_input_contents: [Buffer.from(Int32Array.of(3).buffer)],
      }),
    );
    stream.halfClose();
    await stream.outcome;
    client.close();
    await server.stop();
    expect(countsIn(story())).toEqual({
      ...each,
      GRPC_WAITREAD_START: 1,
      GRPC_WAITREAD_END: 1,
      INFER_RESPONSE_COMPLETE: 4,
      GRPC_SEND_START: 3,
      GRPC_SEND_END: 1,
    });
  });
});
