import { describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream, simpleRequest } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { chain, chainSteps, ensembleFiles, ways } from './ensembles.js';
import { ask, infer, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { TraceFile, type TraceObject } from './traces.js';

const traces = new TraceFile();

const traceFlags = (...more: readonly string[]) => traces.flags('level=TIMESTAMPS', 'rate=1', ...more);

/** What happened to each traced model and request, in its order. */
function storiesOf(objects: readonly TraceObject[]): Record<string, string> {
  const heads = objects.filter(({ model_name }) => model_name !== undefined);
  return Object.fromEntries(
    heads.map(({ id, model_name, request_id = '' }) => {
      const stamps = objects.filter((object) => object.id === id).flatMap(({ timestamps }) => timestamps ?? []);
      return [`${model_name} ${request_id}`, stamps.map(({ name }) => name).join(' ')];
    }),
  );
}

const model = 'REQUEST_START QUEUE_START COMPUTE_START COMPUTE_INPUT_END COMPUTE_OUTPUT_START COMPUTE_END REQUEST_END';
const http = `HTTP_RECV_START HTTP_RECV_END ${model} INFER_RESPONSE_COMPLETE HTTP_SEND_START HTTP_SEND_END`;
const grpc = `GRPC_WAITREAD_START GRPC_WAITREAD_END ${model} INFER_RESPONSE_COMPLETE GRPC_SEND_START GRPC_SEND_END`;

onEachEngine((engine) => {
  test('requests over HTTP, WebSocket and gRPC are traced from their first byte to the last of their answers', async () => {
    const server = await ServerProcess.start({ engine, models: ['simple'], flags: traceFlags() });
    for (const [name, way] of ways) await way(server, 'simple', simpleInputs(1), { id: name });
    await server.stop();
    expect(storiesOf(traces.read())).toEqual({ 'simple HTTP': http, 'simple WebSocket': http, 'simple gRPC': grpc });
  });
});

test('a request that is refused takes no trace from another', async () => {
  const server = await ServerProcess.start({ models: ['simple'], flags: traceFlags('count=1') });
  const { status } = await ask(server.httpPort, infer('simple', simpleInputs(1).slice(1), { head: { id: 'bad' } }));
  expect(status).toBe(400);
  for (const id of ['good', 'late']) await ask(server.httpPort, infer('simple', simpleInputs(1), { head: { id } }));
  await server.stop();
  expect(storiesOf(traces.read())).toEqual({ 'simple good': http });
});

describe.each(['conch', 'grpc-js'])('engine %s', (engine) => {
  test('each request of a stream is traced', async () => {
    const server = await ServerProcess.start({
      models: ['simple'],
      flags: [...traceFlags(), `--grpc-engine=${engine}`],
    });
    const client = new BytesClient(server.grpcPort);
    const stream = openStream(client);
    for (const id of ['a', 'b']) stream.send(encodeRequest({ ...simpleRequest(1, 1, id), model_name: 'simple' }));
    stream.halfClose();
    await stream.outcome;
    client.close();
    await server.stop();
    expect(storiesOf(traces.read())).toEqual({ 'simple a': grpc, 'simple b': grpc });
  });
});

test('steps of an ensemble are children, with tensors at level TENSORS', async () => {
  const files = ensembleFiles({ chain });
  const copies = Object.fromEntries(Object.keys(chainSteps).map((name) => [name, 'simple']));
  const shallow = { ...chain, maxBatchSize: 8 };
  const flags = traceFlags('level=TENSORS');
  const settings = { models: [], copies, files: { ...files, ...ensembleFiles({ chain: shallow }) }, flags };
  const server = await ServerProcess.start(settings);
  expect((await ask(server.httpPort, infer('chain', simpleInputs(1)))).status).toBe(200);
  await server.stop();
  const objects = traces.read();
  expect(storiesOf(objects)).toEqual({
    'chain ':
      'HTTP_RECV_START HTTP_RECV_END REQUEST_START REQUEST_END INFER_RESPONSE_COMPLETE HTTP_SEND_START HTTP_SEND_END',
    'first ': model,
    'second ': model,
    'third ': model,
  });
  const heads = objects.filter(({ model_name }) => model_name !== undefined);
  const [root] = heads;
  expect(heads.map(({ parent_id }) => parent_id)).toEqual([undefined, root!.id, root!.id, root!.id]);
  const ones = new Array(16).fill('1').join();
  expect(objects).toContainEqual({
    id: root!.id,
    activity: 'TENSOR_QUEUE_INPUT',
    tensor: { name: 'INPUT1', data: ones, shape: '1,16', dtype: 'INT32' },
  });
  const made = objects.filter(({ id, activity }) => id === root!.id && activity === 'TENSOR_BACKEND_OUTPUT');
  expect(made.map(({ tensor }) => [tensor!.name, tensor!.shape])).toEqual([
    ['OUTPUT0', '1,16'],
    ['OUTPUT1', '1,16'],
  ]);
  const kinds = objects.filter(({ id, tensor }) => id === heads[1]!.id && tensor !== undefined);
  expect(kinds.map(({ activity, tensor }) => `${activity} ${tensor!.name}`)).toEqual([
    'TENSOR_QUEUE_INPUT INPUT0',
    'TENSOR_QUEUE_INPUT INPUT1',
    'TENSOR_BACKEND_OUTPUT OUTPUT0',
    'TENSOR_BACKEND_OUTPUT OUTPUT1',
    'TENSOR_BACKEND_INPUT INPUT0',
    'TENSOR_BACKEND_INPUT INPUT1',
  ]);
});

test('every second request, until the count has run out, so many to a file', async () => {
  const flags = traceFlags('rate=2', 'count=3', 'triton,log-frequency=2').filter((flag) => !flag.endsWith('rate=1'));
  const server = await ServerProcess.start({ models: ['simple'], flags });
  for (let nth = 1; nth <= 10; nth++) {
    await ask(server.httpPort, infer('simple', simpleInputs(1), { head: { id: String(nth) } }));
  }
  await server.stop();
  const ids = [0, 1].map((index) =>
    traces.read(`${traces.path}.${index}`).flatMap(({ request_id }) => request_id ?? []),
  );
  expect(ids).toEqual([['2', '4'], ['6']]);
});
