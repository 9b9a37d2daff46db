import { describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { infer as inferGrpc, openStream } from '../protocols/grpc/real-server.js';
import { encodeRequest, type TwinRequest } from '../protocols/grpc/twin.js';
import { Crowd } from './crowd.js';
import { ask, type HttpRequest, infer, oneNumber, post, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';
import { askV1, SIMPLE, simpleBody, v1Infer, v1Type } from './v1.js';

const VERBOSE = ['--log-format=json', '--log-verbose=1'];
const thrower = `backend: "javascript" max_batch_size: 0 model_transaction_policy { decoupled: true }
input [ { name: "X" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "Y" data_type: TYPE_INT32 dims: [ 1 ] } ]
`;
const files = {
  'thrower/1/model.js': Buffer.from("export function execute() { throw new Error('no'); }"),
  'thrower/config.pbtxt': Buffer.from(thrower),
};

interface Line {
  readonly model?: string;
  readonly request_id: string;
  readonly msg: string;
}

/** Ends the server. Of lines about requests, model and message by id. */
async function failuresOf(server: ServerProcess): Promise<Record<string, string>> {
  await server.stop();
  const lines = server.main.output.split('\n').filter((line) => line.startsWith('{'));
  const about = lines.map((line) => JSON.parse(line) as Line).filter(({ request_id }) => request_id !== undefined);
  const found = about.map(({ request_id, model, msg }) => [request_id, `${model}: ${msg}`] as const);
  const byId = Object.fromEntries(found);
  // One line each.
  expect(Object.keys(byId)).toHaveLength(found.length);
  return byId;
}

/** Of each kind of refusal one; ids end with what is wrong. */
function refused(prefix: string): HttpRequest[] {
  const shape = { ...simpleInputs(1, false)[0]!, shape: [1, 15] };
  const bad = infer('simple', [shape], { head: { id: `${prefix}shape` } });
  const broken = Buffer.from(`{"id":"${prefix}json","inputs":[{"name":}]}`);
  return [bad, { ...bad, body: broken }];
}

const large = JSON.stringify(new Array(30_000).fill(1));

onEachEngine((engine) => {
  test('each request that is refused before a model has it leaves a line with its id', async () => {
    const server = await ServerProcess.start({ engine, models: ['simple', 'slow_queue', 'repeat'], flags: VERBOSE });
    for (const request of refused('h-')) expect((await ask(server.httpPort, request)).status).toBe(400);
    const [bad] = refused('h-');
    const big = Buffer.from(
      `{"id":"h-large","inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,2],"data":${large}}]}`,
    );
    expect((await ask(server.httpPort, { ...bad!, body: big })).status).toBe(400);
    const generated = post('/v2/models/simple/generate', '{"id":"h-generate","INPUT0":[1]}');
    expect((await ask(server.httpPort, generated)).status).toBe(400);

    const many = post('/v2/models/repeat/generate', '{"id":"h-many","COUNT":0}');
    expect((await ask(server.httpPort, many)).status).toBe(500);

    const client = await SocketClient.open(server.httpPort, '/v2/models/simple/infer');
    for (const request of refused('w-')) client.send(messageOf(request));
    await client.answers(2);
    client.webSocket.close();
    const named = await SocketClient.open(server.httpPort, '/v2/ws');
    named.send('{"id":"w-model","model_name":"missing","inputs":[]}');
    await named.answers(1);
    named.webSocket.close();

    const requests = Array.from({ length: 8 }, (_, nth) =>
      infer('slow_queue', oneNumber(1), { head: { id: `q${nth}` } }),
    );
    const answers = await (await Crowd.ask(server, requests)).answers;
    const full = answers.flatMap(({ status }, nth) => (status === 503 ? [`q${nth}`] : []));
    expect(full.length).toBeGreaterThan(0);

    const lines = await failuresOf(server);
    const usual = ['h-shape', 'h-json', 'h-large', 'h-generate', 'h-many', 'w-shape', 'w-json', 'w-model'];
    expect(Object.keys(lines).sort()).toEqual([...usual, ...full].sort());
    expect(lines['h-shape']).toMatch(/^simple: \[request id: h-shape\] model 'simple', REFUSED: \w/);
    expect(lines['w-model']).toMatch(/^undefined: \[request id: w-model\] REFUSED: .*missing/);
    expect(lines[full[0]!]).toContain('slow_queue: [request id: ');
  });
});

test('requests of V1 leave theirs, whatever they come over', async () => {
  const server = await ServerProcess.start({ models: ['simple'], flags: VERBOSE });
  const wrong = SIMPLE.replace('INPUT1', 'INPUT2');
  await askV1(server.httpPort, v1Infer({ path: 'simple', header: `${wrong} id: 7`, body: simpleBody(0) }));
  await askV1(server.httpPort, v1Infer({ path: 'missing', header: `id: 8 ${SIMPLE}`, body: simpleBody(0) }));
  const client = new BytesClient(server.grpcPort);
  const type = v1Type('InferRequest');
  const request = type.fromObject({ model_name: 'simple', model_version: -1, meta_data: { id: 9 } });
  await client.unary('/nvidia.inferenceserver.GRPCService/Infer', type.encode(request).finish());
  client.close();
  const lines = await failuresOf(server);
  expect(Object.keys(lines)).toEqual(['7', '8', '9']);
  expect(lines[7]).toMatch(/^simple: \[request id: 7\] model 'simple', REFUSED: unexpected inference input/);
  expect(lines[8]).toContain('missing: [request id: 8] ');
});

test('without log-verbose there is none', async () => {
  const server = await ServerProcess.start({ models: ['simple'], flags: ['--log-format=json'] });
  for (const request of refused('h-')) expect((await ask(server.httpPort, request)).status).toBe(400);
  expect(await failuresOf(server)).toEqual({});
});

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  const request = (id: string, model = 'simple', values = 15): TwinRequest => ({
    model_name: model,
    id,
    inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, values] }],
    raw_input_contents: [Buffer.alloc(4 * values)],
  });

  test('refused messages, alone and of streams, and decoupled models that fail', async () => {
    const server = await ServerProcess.start({
      models: ['simple'],
      files,
      flags: [...VERBOSE, `--grpc-engine=${engine}`],
    });
    const client = new BytesClient(server.grpcPort);
    await inferGrpc(client, request('u-shape'));
    await inferGrpc(client, request('u-model', 'missing'));
    await inferGrpc(client, request('u-large', 'simple', 100_000));
    const stream = openStream(client);
    const ids = ['s-shape', 's-large', 's-fails'];
    stream.send(encodeRequest(request('s-shape')));
    stream.send(encodeRequest(request('s-large', 'simple', 100_000)));
    stream.send(
      encodeRequest({ ...request('s-fails', 'thrower', 1), inputs: [{ name: 'X', datatype: 'INT32', shape: [1] }] }),
    );
    stream.halfClose();
    await stream.outcome;
    client.close();
    const lines = await failuresOf(server);
    expect(Object.keys(lines).sort()).toEqual(['u-shape', 'u-model', 'u-large', ...ids].sort());
    expect(lines['u-large']).toContain("simple: [request id: u-large] model 'simple', REFUSED: ");
    expect(lines['u-model']).toContain('missing: ');
    expect(lines['s-fails']).toMatch(/^thrower: .*BACKEND: /);
  });
});
