import { expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { openStream, simpleRequest } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { chain, chainSteps, ensembleFiles, ways } from './ensembles.js';
import { ask, infer, post, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';
import { TraceFile } from './traces.js';

const traces = new TraceFile();

const traceFlags = (...more: readonly string[]) => traces.flags('level=TIMESTAMPS', ...more);

/** Those of the traces, in the order in which their requests ended. */
const heads = () => traces.read().filter(({ model_name }) => model_name !== undefined);

const tracedIds = () => heads().map(({ request_id }) => request_id);

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

onEachEngine((engine) => {
  const grpcEngine = engine === 'uws' ? 'grpc-js' : 'conch';
  const start = (flags: readonly string[], copies: Record<string, string> = {}) =>
    ServerProcess.start({ engine, models: ['simple'], copies, flags: [...flags, `--grpc-engine=${grpcEngine}`] });

  test('every third request of HTTP, WebSocket and gRPC together, until the count has run out', async () => {
    const server = await start(traceFlags('rate=3', 'count=4'));
    for (const nth of numbers(15)) await ways[(nth * 2) % 3]![1](server, 'simple', simpleInputs(1), { id: `${nth}` });
    await server.stop();
    expect(tracedIds()).toEqual(['3', '6', '9', '12']);
  });

  test.each(ways)('%s: every second', async (_name, way) => {
    const server = await start(traceFlags('rate=2'));
    for (const nth of numbers(6)) await way(server, 'simple', simpleInputs(1), { id: `${nth}` });
    await server.stop();
    expect(tracedIds()).toEqual(['2', '4', '6']);
  });

  test.each(ways)('%s: a model with settings of its own counts for itself', async (_name, way) => {
    const server = await start(traceFlags('rate=3'), { own: 'simple', off: 'simple' });
    await ask(
      server.httpPort,
      post('/v2/models/own/trace/setting', JSON.stringify({ trace_rate: '2', trace_count: '2' })),
    );
    await ask(server.httpPort, post('/v2/models/off/trace/setting', JSON.stringify({ trace_level: ['OFF'] })));
    for (const nth of numbers(6)) {
      for (const model of ['simple', 'own', 'off'])
        await way(server, model, simpleInputs(1), { id: `${model} ${nth}` });
    }
    await server.stop();
    // Those that are counted together are written together.
    expect(tracedIds()).toEqual(['own 2', 'own 4', 'simple 3', 'simple 6']);
  });

  test('messages of a stream are counted one by one', async () => {
    const server = await start(traceFlags('rate=2'));
    const client = new BytesClient(server.grpcPort);
    const stream = openStream(client);
    for (const nth of numbers(5))
      stream.send(encodeRequest({ ...simpleRequest(1, 1, `${nth}`), model_name: 'simple' }));
    stream.halfClose();
    await stream.outcome;
    client.close();
    await server.stop();
    expect(tracedIds()).toEqual(['2', '4']);
  });

  test('gRPC: a message that is refused gives its trace to the next', async () => {
    const server = await start(traceFlags('rate=2', 'count=1'));
    const client = new BytesClient(server.grpcPort);
    const send = (id: string, model_name: string) =>
      client.unary(
        '/inference.GRPCInferenceService/ModelInfer',
        encodeRequest({ ...simpleRequest(1, 1, id), model_name }),
      );
    expect(await send('first', 'simple')).toMatchObject({ code: 0 });
    expect(await send('bad', 'nobody')).toMatchObject({ code: 5 });
    for (const id of ['good', 'late', 'later']) expect(await send(id, 'simple')).toMatchObject({ code: 0 });
    client.close();
    await server.stop();
    expect(tracedIds()).toEqual(['good']);
  });

  test('WebSocket: a message that is refused gives its trace to the next, and one that cancels is not counted', async () => {
    const server = await start(traceFlags('rate=2', 'count=1'));
    const client = await SocketClient.open(server.httpPort, '/v2/models/simple/infer');
    const request = (id: string, inputs = simpleInputs(1)) => messageOf(infer('simple', inputs, { head: { id } }));
    await client.ask(request('first'));
    client.send(JSON.stringify({ cancel: 'nobody' }));
    expect(await client.ask(request('bad', simpleInputs(1).slice(1)))).toMatchObject({ id: 'bad', status: 400 });
    for (const id of ['good', 'late', 'later']) expect(await client.ask(request(id))).toMatchObject({ id });
    client.webSocket.close();
    await server.stop();
    expect(tracedIds()).toEqual(['good']);
  });

  test.each(ways)(
    '%s: the steps of an ensemble are in the trace of its request, and are not counted',
    async (_name, way) => {
      const copies = Object.fromEntries(Object.keys(chainSteps).map((name) => [name, 'simple']));
      const files = ensembleFiles({ chain: { ...chain, maxBatchSize: 8 } });
      const flags = [...traceFlags('rate=2'), `--grpc-engine=${grpcEngine}`];
      const server = await ServerProcess.start({ engine, models: [], copies, files, flags });
      for (const nth of numbers(4)) await way(server, 'chain', simpleInputs(1), { id: `${nth}` });
      await server.stop();
      const found = heads();
      const roots = found.filter(({ parent_id }) => parent_id === undefined);
      expect(roots.map(({ model_name, request_id }) => `${model_name} ${request_id}`)).toEqual(['chain 2', 'chain 4']);
      for (const { id } of roots) {
        const steps = found.filter(({ parent_id }) => parent_id === id).map(({ model_name }) => model_name);
        expect(steps).toEqual(Object.keys(chainSteps));
      }
    },
  );
});
