import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { RegionFile } from './region-file.js';
import { askJson, get } from './requests.js';
import { ServerProcess } from './server.js';
import { floats, ints, readV1, simpleBody, simpleSums, v1Type } from './v1.js';

const SERVICE = '/nvidia.inferenceserver.GRPCService';
const models = ['simple', 'labels', 'identity_fp32', 'sequence_direct', 'slow'];

interface Status {
  readonly code: string;
  readonly msg?: string;
  readonly server_id: string;
  readonly request_id: number;
}

interface Answer {
  readonly request_status: Status;
  readonly meta_data?: { readonly id?: number; readonly output?: object[]; readonly model_version?: number };
  readonly raw_output?: Buffer[];
  readonly [field: string]: unknown;
}

interface Request {
  readonly model_name: string;
  readonly model_version?: number;
  readonly meta_data: object;
  readonly raw_input?: Uint8Array[];
}

function message(type: string, fields: object): Uint8Array {
  const own = v1Type(type);
  return own.encode(own.fromObject(fields)).finish();
}

function simple(first: number, more: object = {}): Request {
  const body = simpleBody(first);
  return {
    model_name: 'simple',
    model_version: -1,
    meta_data: {
      batch_size: 1,
      input: [{ name: 'INPUT0' }, { name: 'INPUT1' }],
      output: [{ name: 'OUTPUT0' }, { name: 'OUTPUT1' }],
      ...more,
    },
    raw_input: [body.subarray(0, 64), body.subarray(64)],
  };
}

function step(id: number, flags: number, value: number, requestId: number): Request {
  const output = ['OUTPUT', 'FLAGS', 'ID'].map((name) => ({ name }));
  return {
    model_name: 'sequence_direct',
    model_version: -1,
    meta_data: { batch_size: 1, input: [{ name: 'INPUT' }], output, correlation_id: id, id: requestId, flags },
    raw_input: [ints(value)],
  };
}

describe.each(['conch', 'grpc-js'])('engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;

  beforeAll(async () => {
    const flags = [`--grpc-engine=${engine}`, '--id=ours', '--allow-client-shm=true'];
    server = await ServerProcess.start({ models, flags });
    client = new BytesClient(server.grpcPort);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  async function call(method: string, request: object): Promise<Answer> {
    const name = method === 'Infer' ? 'InferRe' : `${method}Re`;
    const { code, messages } = await client.unary(`${SERVICE}/${method}`, message(`${name}quest`, request));
    expect([code, messages.length]).toEqual([0, 1]);
    return readV1(`${name}sponse`, messages[0]!) as Answer;
  }

  const infer = (request: Request) => call('Infer', request);

  test('health, and a mode that there is not', async () => {
    const good = { code: 'SUCCESS', server_id: 'ours' };
    expect(await call('Health', { mode: 'live' })).toMatchObject({ request_status: good, health: true });
    expect(await call('Health', { mode: 'ready' })).toMatchObject({ request_status: good, health: true });
    expect((await call('Health', { mode: 'well' })).request_status).toMatchObject({ code: 'UNKNOWN' });
  });

  test('status of one model, of all, and of none', async () => {
    const first = await call('Status', { model_name: 'labels' });
    expect(first.server_status).toMatchObject({
      id: 'ours',
      ready_state: 'SERVER_READY',
      model_status: { labels: { config: { name: 'labels' }, version_status: { 1: { ready_state: 'MODEL_READY' } } } },
    });
    const all = await call('Status', {});
    expect(all.request_status.request_id).toBe(first.request_status.request_id + 1);
    expect(Object.keys((all.server_status as { model_status: object }).model_status).sort()).toEqual(
      [...models].sort(),
    );
    const none = await call('Status', { model_name: 'none' });
    expect(none.request_status).toMatchObject({
      code: 'INVALID_ARG',
      msg: "no status available for unknown model 'none'",
    });
  });

  test('one inference: outputs in the order of the header', async () => {
    for (const id of [0, 9]) {
      const answer = await infer(simple(3, { id }));
      expect(answer.request_status).toMatchObject({ code: 'SUCCESS', server_id: 'ours' });
      expect(answer.meta_data).toEqual({
        model_name: 'simple',
        model_version: 1,
        batch_size: 1,
        output: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, raw: { dims: [16], batch_byte_size: 64 } })),
        ...(id === 0 ? {} : { id }),
      });
      expect(Buffer.concat(answer.raw_output!)).toEqual(simpleSums(3));
    }
  });

  test('classes have an empty raw output of their own', async () => {
    const answer = await infer({
      model_name: 'labels',
      model_version: 1,
      meta_data: { batch_size: 1, input: [{ name: 'INPUT0' }], output: [{ name: 'OUTPUT0', cls: { count: 1 } }] },
      raw_input: [floats(1, 2, 9, 3)],
    });
    expect(answer.raw_output!.map((bytes) => bytes.length)).toEqual([0]);
    expect(answer.meta_data!.output).toEqual([
      { name: 'OUTPUT0', batch_classes: [{ cls: [{ idx: 2, value: 9, label: 'two' }] }] },
    ]);
  });

  /** Of a message that comes in pieces. */
  const large = Buffer.from(Float32Array.from({ length: 300_000 }, (_, nth) => nth).buffer);

  function identity(raw: Uint8Array): Request {
    const meta_data = {
      batch_size: 1,
      input: [{ name: 'INPUT0', dims: [300_000] }],
      output: [{ name: 'OUTPUT0' }],
      id: 6,
    };
    return { model_name: 'identity_fp32', model_version: -1, meta_data, raw_input: [raw] };
  }

  test('messages of any size', async () => {
    const answer = await infer(identity(large));
    expect(answer.raw_output![0]!.equals(large)).toBe(true);
    expect(answer.meta_data!.id).toBe(6);
  });

  test('a large message whose header lies behind its tensor', async () => {
    const head = message('InferRequest', { model_name: 'identity_fp32', model_version: -1, raw_input: [large] });
    const rest = message('InferRequest', { meta_data: identity(large).meta_data });
    const { messages } = await client.unary(`${SERVICE}/Infer`, Buffer.concat([head, rest]));
    const answer = readV1('InferResponse', messages[0]!) as Answer;
    expect(answer.raw_output![0]!.equals(large)).toBe(true);
  });

  test('a large tensor of another size is refused as a small one is, and a stream goes on', async () => {
    const short = identity(large.subarray(4));
    const msg = "unexpected size 1199996 for input 'INPUT0', expecting 1200000 for model 'identity_fp32'";
    expect(await infer(short)).toMatchObject({ request_status: { code: 'INVALID_ARG', msg }, meta_data: { id: 6 } });
    const stream = client.open(`${SERVICE}/StreamInfer`);
    for (const request of [short, identity(large), { ...identity(large), model_name: 'none' }])
      stream.send(message('InferRequest', request));
    stream.halfClose();
    const answers = (await stream.outcome).messages.map((one) => readV1('InferResponse', one) as Answer);
    expect(answers.map(({ request_status }) => request_status.code)).toEqual(['INVALID_ARG', 'SUCCESS', 'UNAVAILABLE']);
    expect(answers.map(({ meta_data }) => meta_data!.id)).toEqual([6, 6, 6]);
  });

  test.each<[string, Request, string]>([
    ['an unknown model', { ...simple(0), model_name: 'none' }, 'UNAVAILABLE'],
    ['version 0, which is not the latest', { ...simple(0), model_version: 0 }, 'UNAVAILABLE'],
    ['no version, which is version 0', { ...simple(0), model_version: undefined! }, 'UNAVAILABLE'],
    ['version -2', { ...simple(0), model_version: -2 }, 'UNAVAILABLE'],
    ['a batch of none', simple(0, { batch_size: 0 }), 'INVALID_ARG'],
    ['no header', { ...simple(0), meta_data: {} }, 'INVALID_ARG'],
    ['too few raw inputs', { ...simple(0), raw_input: [Buffer.alloc(64)] }, 'INVALID_ARG'],
    ['a raw input of another size', { ...simple(0), raw_input: [Buffer.alloc(64), Buffer.alloc(60)] }, 'INVALID_ARG'],
    [
      'shared memory that is not there',
      { ...simple(0, { output: [{ name: 'OUTPUT0', shared_memory: { name: 'x', byte_size: 64 } }] }) },
      'NOT_FOUND',
    ],
  ])('%s: the call is OK, and its status says what is wrong', async (_, request, code) => {
    const answer = await infer({ ...request, meta_data: { ...request.meta_data, id: 5 } });
    expect(answer.request_status).toMatchObject({ code, server_id: 'ours' });
    expect(answer.request_status.request_id).toBeGreaterThan(0);
    expect([answer.meta_data, answer.raw_output]).toEqual([{ id: 5 }, undefined]);
  });

  test('a header beyond its bound is INVALID_ARG', async () => {
    const input = Array.from({ length: 600_000 }, () => ({}));
    const { request_status } = await infer({ ...simple(0), meta_data: { batch_size: 1, input } });
    expect(request_status).toMatchObject({ code: 'INVALID_ARG', msg: expect.stringMatching(/^meta_data may have/) });
  });

  test('raw inputs that are too many are ignored', async () => {
    const request = simple(1);
    const answer = await infer({ ...request, raw_input: [...request.raw_input!, Buffer.alloc(3)] });
    expect(answer.request_status.code).toBe('SUCCESS');
  });

  test('a message that is none is INVALID_ARG', async () => {
    const { code, messages } = await client.unary(`${SERVICE}/Infer`, Buffer.from([0x0a, 0x7f]));
    expect(code).toBe(0);
    expect(readV1('InferResponse', messages[0]!)).toMatchObject({ request_status: { code: 'INVALID_ARG' } });
  });

  test('a stream answers in the order of its requests, errors among them, whichever model they are for', async () => {
    const stream = client.open(`${SERVICE}/StreamInfer`);
    const slow = { model_name: 'slow', model_version: -1, raw_input: [floats(1)] };
    const meta = { batch_size: 1, input: [{ name: 'INPUT0' }], output: [{ name: 'OUTPUT0' }] };
    const requests: Request[] = [
      { ...slow, meta_data: { ...meta, id: 1 } },
      simple(2, { id: 2 }),
      { ...simple(0, { id: 3 }), model_name: 'none' },
      step(1000, 1, 5, 4),
      step(1001, 1, 6, 5),
      step(1000, 2, 7, 6),
      step(1001, 0, 8, 7),
      step(1002, 0, 8, 8),
      simple(9, { id: 9 }),
      step(1001, 2, 8, 10),
    ];
    for (const request of requests) stream.send(message('InferRequest', request));
    stream.halfClose();
    const { code, messages } = await stream.outcome;
    expect(code).toBe(0);
    const answers = messages.map((bytes) => readV1('InferResponse', bytes) as Answer);
    expect(answers.map(({ meta_data }) => meta_data!.id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const codes = answers.map(({ request_status }) => request_status.code);
    expect(codes.map((text, nth) => (text === 'SUCCESS' ? '' : `${nth + 1} ${text}`)).filter(Boolean)).toEqual([
      '3 UNAVAILABLE',
      '8 INVALID_ARG',
    ]);
    expect(answers[7]!.request_status.msg).toMatch(
      /^inference request for sequence 1002 to model 'sequence_direct' must specify the START flag/,
    );
    const flags = [3, 4, 5, 6].map((nth) => [...new Int32Array(new Uint8Array(answers[nth]!.raw_output![1]!).buffer)]);
    expect(flags).toEqual([
      [1, 0, 1],
      [1, 0, 1],
      [0, 1, 1],
      [0, 0, 1],
    ]);
    expect(Buffer.concat(answers[8]!.raw_output!)).toEqual(simpleSums(9));
  });

  test('a client that goes away leaves nothing behind', async () => {
    const stream = client.open(`${SERVICE}/StreamInfer`);
    for (let id = 1; id <= 50; id++) stream.send(message('InferRequest', simple(id, { id })));
    stream.cancel();
    expect((await stream.outcome).code).toBe(1);
    expect((await infer(simple(4))).request_status.code).toBe('SUCCESS');
  });

  test('shared memory: the regions are told in both fields', async () => {
    const file = new RegionFile(Buffer.concat([simpleBody(4), Buffer.alloc(128)]));
    const control = (request: object) => call('SharedMemoryControl', request);
    try {
      const register = {
        register: { name: 'r', system_shared_memory: { shared_memory_key: file.key }, byte_size: 256 },
      };
      expect((await control(register)).request_status.code).toBe('SUCCESS');
      expect((await control(register)).request_status).toMatchObject({
        code: 'ALREADY_EXISTS',
        msg: "shared memory block 'r' already in manager",
      });
      const region = { name: 'r', system_shared_memory: { shared_memory_key: file.key }, byte_size: 256 };
      expect((await control({ status: {} })).shared_memory_status).toEqual({
        shared_memory_region: [region],
        shared_memory_region_of_status: [region],
      });
      const at = (name: string, offset: number) => ({ name, shared_memory: { name: 'r', offset, byte_size: 64 } });
      const answer = await infer({
        ...simple(0, {
          input: [at('INPUT0', 0), at('INPUT1', 64)],
          output: [{ name: 'OUTPUT1' }, at('OUTPUT0', 128)],
        }),
        raw_input: [],
      });
      expect(answer.request_status.code).toBe('SUCCESS');
      expect(answer.raw_output!.map((bytes) => bytes.length)).toEqual([64, 0]);
      expect(file.read(128, 64)).toEqual(simpleSums(4).subarray(0, 64));
      expect((await control({ unregister: { name: 'r' } })).request_status.code).toBe('SUCCESS');
      expect((await control({ unregister: { name: 'r' } })).request_status.code).toBe('SUCCESS');
      expect((await control({ unregister_all: {} })).request_status.code).toBe('SUCCESS');
      expect((await control({})).request_status.code).toBe('UNKNOWN');
      expect((await control({ register: { name: 'x' } })).request_status.code).toBe('INVALID_ARG');
      const cuda = { name: 'x', cuda_shared_memory: { raw_handle: Buffer.alloc(64), device_id: 0 }, byte_size: 64 };
      expect((await control({ register: cuda })).request_status.code).toBe('INVALID_ARG');
    } finally {
      file.remove();
    }
  });

  test('model control is UNAVAILABLE where requests load no models', async () => {
    for (const type of ['LOAD', 'UNLOAD'])
      expect((await call('ModelControl', { model_name: 'simple', type })).request_status.code).toBe('UNAVAILABLE');
  });

  test('what V1 asked is in the statistics of V2', async () => {
    const before = await askJson(server.httpPort, get('/v2/models/simple/stats'));
    await infer(simple(1));
    const after = await askJson(server.httpPort, get('/v2/models/simple/stats'));
    expect(after.model_stats[0].inference_count).toBe(before.model_stats[0].inference_count + 1);
  });
});

test.each(['conch', 'grpc-js'])('engine %s: models are loaded, and unloaded unless LOAD is said', async (engine) => {
  const flags = [`--grpc-engine=${engine}`, '--model-control-mode=explicit'];
  const server = await ServerProcess.start({ models: ['simple'], flags });
  const client = new BytesClient(server.grpcPort);
  const control = async (request: object) => {
    const { messages } = await client.unary(`${SERVICE}/ModelControl`, message('ModelControlRequest', request));
    return readV1('ModelControlResponse', messages[0]!).request_status as Status;
  };
  try {
    expect(await control({ model_name: 'simple', type: 'LOAD' })).toMatchObject({ code: 'SUCCESS' });
    expect(await control({ model_name: 'none', type: 'LOAD' })).toMatchObject({
      code: 'INTERNAL',
      msg: expect.stringMatching(/^failed to load 'none'/),
    });
    expect(await control({ model_name: 'simple' })).toMatchObject({ code: 'SUCCESS' });
    const open = client.open(`${SERVICE}/StreamInfer`);
    open.send(message('InferRequest', simple(1, { id: 3 })));
    await expect.poll(() => open.messages.length).toBe(1);
    expect(readV1('InferResponse', open.messages[0]!)).toMatchObject({ request_status: { code: 'UNAVAILABLE' } });
    // A stream that is open does not hold up the end.
  } finally {
    await server.stop();
    client.close();
  }
});
