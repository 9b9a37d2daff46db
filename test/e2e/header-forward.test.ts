import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { infer as inferGrpc, openStream, streamResponses } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { ensembleFiles } from './ensembles.js';
import { metric } from './metrics.js';
import { ask, infer, outputsOf, post, type Tensor } from './requests.js';
import { errorOf } from './sequence-steps.js';
import { MainProcess, onEachEngine, ServerProcess } from './server.js';

type Headers = Readonly<Record<string, string>>;

/** P = the parameters of the request, as JSON. */
const teller = `export function execute({ requests }) {
  for (const request of requests)
    request.output('P', [1], [JSON.stringify(Object.fromEntries(request.parameters))]);
}`;

const settings = {
  models: ['identity_uint8'],
  files: {
    'teller/1/model.js': Buffer.from(teller),
    'teller/config.pbtxt': Buffer.from(`backend: "javascript" max_batch_size: 0
input [ { name: "X" data_type: TYPE_INT32 dims: [ -1 ] } ]
output [ { name: "P" data_type: TYPE_STRING dims: [ 1 ] } ]
`),
    ...ensembleFiles({
      wrapped: { maxBatchSize: 0, inputs: ['X INT32 -1'], outputs: ['P STRING 1'], steps: ['teller X=X -> P=P'] },
      twice: { maxBatchSize: 0, inputs: ['X INT32 -1'], outputs: ['P STRING 1'], steps: ['wrapped X=X -> P=P'] },
    }),
  },
};

const PATTERN = '(?i)X-|^sequence_id$|^priority$|^headers$|^triton_';
const reserved = (name: string) => `Header '${name}' is reserved for Triton usage and cannot be forwarded.`;

const x = (elements: number, binary = false): Tensor[] => [
  { name: 'X', datatype: 'INT32', shape: [elements], data: new Array<number>(elements).fill(1), binary },
];

onEachEngine((engine) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start({ ...settings, engine, flags: [`--http-header-forward-pattern=${PATTERN}`] });
  });
  afterAll(() => server.stop());

  const tell = async (headers: Headers, tensors = x(1), model = 'teller', head: object = {}) => {
    const answer = await ask(server.httpPort, infer(model, tensors, { headers, head }));
    return answer.status === 200 ? JSON.parse(String(outputsOf(answer).P![0])) : errorOf(answer);
  };

  test.each(['teller', 'wrapped', 'twice'])('%s is told those of this request, and no others', async (model) => {
    expect(await tell({ 'X-Tenant': 'a', 'y-tenant': 'b' }, x(1), model)).toEqual({ 'x-tenant': 'a' });
    expect(await tell({ 'x-tenant': 'B', 'ax-b': 'c' }, x(1), model)).toEqual({ 'x-tenant': 'B', 'ax-b': 'c' });
    expect(await tell({}, x(1), model)).toEqual({});
    expect(await tell({ 'X-TENANT': 'd' }, x(1), model)).toEqual({ 'x-tenant': 'd' });
  });

  test('requests under way at once keep theirs apart', async () => {
    const tenants = Array.from({ length: 50 }, (_, nth) => String(nth));
    const told = await Promise.all(
      tenants.map((tenant, nth) => tell({ 'x-tenant': tenant }, x(1), ['teller', 'wrapped'][nth % 2])),
    );
    expect(told).toEqual(tenants.map((tenant) => ({ 'x-tenant': tenant })));
  });

  test('beside parameters of the body, whose place they take', async () => {
    const parameters = { own: 1, 'x-tenant': 'body' };
    expect(await tell({ 'x-tenant': 'header' }, x(1), 'teller', { parameters })).toEqual({
      own: 1,
      'x-tenant': 'header',
    });
    expect(await tell({}, x(1), 'teller', { parameters })).toEqual(parameters);
  });

  test('of one sent twice the last counts', async () => {
    expect(await tell({ 'X-A': '1', 'x-a': '2' })).toEqual({ 'x-a': '2' });
  });

  test.each([
    ['a binary body that is complete', x(2, true)],
    ['one that comes in pieces', x(50_000, true)],
    ['JSON that is read in another thread', x(600_000)],
  ])('%s', async (_, tensors) => {
    expect(await tell({ 'x-a': '1' }, tensors)).toEqual({ 'x-a': '1' });
    expect(await tell({}, tensors)).toEqual({});
  });

  test('a raw body', async () => {
    const headers = { 'Inference-Header-Content-Length': '0', 'X-A': '1' };
    const answer = await ask(server.httpPort, post('/v2/models/teller/infer', Buffer.alloc(8), headers));
    expect(JSON.parse(String(outputsOf(answer).P![0]))).toEqual({ 'x-a': '1' });
  });

  // uWebSockets 20.30 never answers a request with `_` in the name of a header.
  const names = ['priority', 'headers', ...(engine === 'net' ? ['sequence_id', 'triton_x'] : [])];

  test.each(names)('%s is refused, whoever the model is', async (name) => {
    expect(await tell({ [name]: '1' })).toBe(`400 ${reserved(name)}`);
    const bytes: Tensor[] = [{ name: 'INPUT0', datatype: 'UINT8', shape: [1, 1], data: [1] }];
    expect(await tell({ [name]: '1' }, bytes, 'identity_uint8')).toBe(`400 ${reserved(name)}`);
    expect(await tell({ 'x-a': '1', timeout: '5' })).toEqual({ 'x-a': '1' });
  });

  test('a model that reads no parameters answers as ever', async () => {
    const bytes: Tensor[] = [{ name: 'INPUT0', datatype: 'UINT8', shape: [1, 1], data: [7] }];
    const answer = await ask(server.httpPort, infer('identity_uint8', bytes, { headers: { 'x-a': '1' } }));
    expect(outputsOf(answer)).toEqual({ OUTPUT0: [7] });
  });
});

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;
  beforeAll(async () => {
    const flags = [`--grpc-engine=${engine}`, `--grpc-header-forward-pattern=${PATTERN}`];
    server = await ServerProcess.start({ ...settings, flags });
    client = new BytesClient(server.grpcPort);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const request = (elements: number, model = 'teller', more: object = {}) => ({
    model_name: model,
    inputs: [{ name: 'X', datatype: 'INT32', shape: [elements] }],
    raw_input_contents: [Buffer.alloc(4 * elements)],
    ...more,
  });
  const told = (bytes: Buffer | undefined) => JSON.parse(String(bytes!.subarray(4)));
  const tell = async (metadata: Headers, elements = 1, model = 'teller', more = {}) => {
    const { response, code, details } = await inferGrpc(client, request(elements, model, more), { metadata });
    return response === null ? `${code} ${details}` : told(response.raw_output_contents[0]);
  };
  const tellStream = async (metadata: Headers, elements: readonly number[]) => {
    const stream = openStream(client, { metadata });
    for (const count of elements) stream.send(encodeRequest(request(count)));
    stream.halfClose();
    const { messages, code, details } = await stream.outcome;
    if (code !== 0) return `${code} ${details}`;
    return streamResponses(messages).map(({ infer_response }) => told(infer_response.raw_output_contents[0]));
  };

  test.each(['teller', 'wrapped', 'twice'])('%s is told that of this call, and no other', async (model) => {
    expect(await tell({ 'x-tenant': 'a', 'y-tenant': 'b' }, 1, model)).toEqual({ 'x-tenant': 'a' });
    expect(await tell({ 'x-tenant': 'b' }, 1, model)).toEqual({ 'x-tenant': 'b' });
    expect(await tell({}, 1, model)).toEqual({});
  });

  test('also with messages that come in pieces, and beside parameters of the message', async () => {
    expect(await tell({ 'x-a': '1' }, 100_000)).toEqual({ 'x-a': '1' });
    expect(await tell({}, 100_000)).toEqual({});
    const parameters = { 'x-a': { string_param: 'message' }, own: { bool_param: true } };
    expect(await tell({ 'x-a': '1' }, 1, 'teller', { parameters })).toEqual({ 'x-a': '1', own: true });
  });

  test('each request of a stream has it', async () => {
    const a = { 'x-a': '1' };
    expect(await tellStream(a, [1, 100_000, 1])).toEqual([a, a, a]);
    expect(await tellStream({}, [1, 100_000])).toEqual([{}, {}]);
  });

  test('a reserved name ends the call', async () => {
    expect(await tell({ sequence_id: '1' })).toBe(`3 ${reserved('sequence_id')}`);
    expect(await tellStream({ triton_grpc_error: 'true' }, [1])).toBe(`3 ${reserved('triton_grpc_error')}`);
    expect(await tell({ 'x-a': '1' })).toEqual({ 'x-a': '1' });
  });
});

test('without a pattern nothing is forwarded, and no name is refused', async () => {
  const server = await ServerProcess.start(settings);
  const headers = { 'x-a': '1', priority: 'u=1' };
  const answer = await ask(server.httpPort, infer('teller', x(1), { headers }));
  expect(outputsOf(answer)).toEqual({ P: ['{}'] });
  const client = new BytesClient(server.grpcPort);
  const message = {
    model_name: 'teller',
    inputs: [{ name: 'X', datatype: 'INT32', shape: [1] }],
    raw_input_contents: [Buffer.alloc(4)],
  };
  const { response } = await inferGrpc(client, message, { metadata: headers });
  expect(String(response!.raw_output_contents[0]!.subarray(4))).toBe('{}');
  client.close();
  await server.stop();
});

test('the response cache keeps answers for each value apart', async () => {
  const server = await ServerProcess.start({
    ...settings,
    edits: { teller: (config) => `${config}response_cache { enable: true }\n` },
    flags: ['--cache-config=local,size=1048576', '--http-header-forward-pattern=^x-'],
  });
  for (const value of ['1', '2', '1', '2']) {
    const answer = await ask(server.httpPort, infer('teller', x(1), { headers: { 'x-a': value } }));
    expect(outputsOf(answer)).toEqual({ P: [`{"x-a":"${value}"}`] });
  }
  expect(await metric(server, 'nv_cache_num_hits_per_model', { model: 'teller' })).toBe(2);
  await server.stop();
});

test.each(['http-header-forward-pattern', 'grpc-header-forward-pattern'])(
  'a wrong --%s ends the start and is named',
  async (flag) => {
    const main = new MainProcess(['--model-repository=examples/models', `--${flag}=x-(`]);
    expect(await main.exit).toBe(1);
    expect(main.output).toContain(`Bad option: "--${flag}".\nInvalid regular expression: /x-(/`);
  },
);
