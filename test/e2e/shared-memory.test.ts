import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { callGrpc } from './control.js';
import { ensembleFiles } from './ensembles.js';
import { inRegion, inRegionGrpc, RegionFile } from './region-file.js';
import { ask, askJson, get, infer, post, type Tensor } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';

const BASE = '/v2/systemsharedmemory';
const A = Int32Array.from({ length: 16 }, (_, index) => index);
const B = new Int32Array(16).fill(1);
const SUM = A.map((value) => value + 1);
const DIFFERENCE = A.map((value) => value - 1);
const TENSOR = { datatype: 'INT32', shape: [1, 16] } as const;
/** INPUT0, INPUT1, and room for both outputs. */
const CONTENT = Buffer.concat([bytesOf(A), bytesOf(B), Buffer.alloc(128)]);
const INPUTS = [
  { name: 'INPUT0', ...TENSOR, ...inRegion('r', 64) },
  { name: 'INPUT1', ...TENSOR, ...inRegion('r', 64, 64) },
];
const OUTPUTS = [
  { name: 'OUTPUT0', ...inRegion('r', 64, 128) },
  { name: 'OUTPUT1', ...inRegion('r', 64, 192) },
];
const DESCRIBED = [
  { name: 'OUTPUT0', ...TENSOR },
  { name: 'OUTPUT1', ...TENSOR },
];

function bytesOf(values: Int32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function strings(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map((text) => {
      const bytes = Buffer.from(`....${text}`);
      bytes.writeUInt32LE(bytes.length - 4);
      return bytes;
    }),
  );
}

const summing = ensembleFiles({
  summing: {
    maxBatchSize: 8,
    inputs: ['A INT32 16', 'B INT32 16'],
    outputs: ['S INT32 16'],
    steps: ['simple INPUT0=A INPUT1=B -> OUTPUT0=S'],
  },
});

onEachEngine((http) => {
  const grpc = http === 'uws' ? 'grpc-js' : 'conch';
  let server: ServerProcess;
  let client: BytesClient;
  let file: RegionFile;

  beforeAll(async () => {
    server = await ServerProcess.start({
      models: ['simple', 'identity_bytes', 'slow', 'identity_int32'],
      files: summing,
      copies: { cached: 'simple' },
      edits: { cached: (config) => `${config}\nresponse_cache { enable: true }` },
      flags: [
        '--allow-client-shm=true',
        '--cache-config=local,size=1048576',
        `--http-engine=${http}`,
        `--grpc-engine=${grpc}`,
      ],
    });
    client = new BytesClient(server.grpcPort);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  beforeEach(async () => {
    file = new RegionFile(CONTENT);
    expect(await register('r', { key: file.key, byte_size: CONTENT.length })).toEqual([200, null]);
  });

  afterEach(async () => {
    file.remove();
    expect(await say(post(`${BASE}/unregister`, ''))).toEqual([200, null]);
    expect(await say(get(`${BASE}/status`))).toEqual([200, []]);
  });

  /** Status and body; null = that is empty. */
  async function say(request: Parameters<typeof ask>[1]): Promise<[number, unknown]> {
    const { status, body } = await ask(server.httpPort, request);
    return [status, body.length === 0 ? null : JSON.parse(body.toString())];
  }

  const register = (name: string, facts: unknown) =>
    say(post(`${BASE}/region/${name}/register`, typeof facts === 'string' ? facts : JSON.stringify(facts)));
  const inferJson = (model: string, head: object) => say(post(`/v2/models/${model}/infer`, JSON.stringify(head)));
  const written = () => [file.read(128, 64), file.read(192, 64)];

  test('regions are registered, listed and unregistered over HTTP', async () => {
    const status = { name: 'r', key: file.key, offset: 0, byte_size: 256 };
    const part = { name: 'a b', key: file.key, offset: 64, byte_size: 8 };
    expect(await register('a%20b', { key: file.key, offset: 64, byte_size: 8 })).toEqual([200, null]);
    expect(await say(get(`${BASE}/status`))).toEqual([200, [part, status]]);
    expect(await say(get(`${BASE}/region/r/status`))).toEqual([200, [status]]);
    expect(await say(post(`${BASE}/region/r/unregister`, ''))).toEqual([200, null]);
    expect(await say(post(`${BASE}/region/r/unregister`, ''))).toEqual([200, null]);
    const error = "Unable to find system shared memory region: 'r'";
    expect(await say(get(`${BASE}/region/r/status`))).toEqual([404, { error }]);
  });

  test.each([
    ['r', { key: '/x', byte_size: 1 }, 400, "shared memory region 'r' already in manager"],
    ['s', { byte_size: 1 }, 400, "Shared memory register request has no 'key' field"],
    ['s', { key: '/x' }, 400, "Shared memory register request has no 'byte_size' field"],
    ['s', { key: '/no-such', byte_size: 1 }, 500, "Unable to open shared memory region: '/no-such'"],
    ['s', { key: 7, byte_size: 1 }, 500, 'attempt to access JSON non-string as string'],
    ['s', { key: '/x', byte_size: -1 }, 500, 'attempt to access JSON non-unsigned-integer as unsigned-integer'],
    ['s', { key: '/a/b', byte_size: 1 }, 400, "cannot register shared memory region 's' - invalid shm key '/a/b'"],
    ['s', '', 500, 'failed to parse the request JSON buffer: The document is empty. at 0'],
    ['s', 'no json', 500, expect.stringContaining('failed to parse the request JSON buffer: ')],
  ])('registering %s as %j is refused', async (name, facts, status, error) => {
    expect(await register(name, facts)).toEqual([status, { error }]);
  });

  test('a path without a region registers none, and a GPU has none', async () => {
    const system = { error: "'region name' is necessary to register system shared memory region" };
    const cuda = { error: "'region name' is necessary to register cuda shared memory region" };
    const noGpu = { error: "failed to register CUDA shared memory region: 'c', GPUs not supported" };
    expect(await say(post(`${BASE}/register`, '{}'))).toEqual([400, system]);
    expect(await say(post('/v2/cudasharedmemory/register', '{}'))).toEqual([400, cuda]);
    expect(await say(post('/v2/cudasharedmemory/region/c/register', '{}'))).toEqual([400, noGpu]);
    expect(await say(get('/v2/cudasharedmemory/status'))).toEqual([200, []]);
    expect(await say(post('/v2/cudasharedmemory/unregister', ''))).toEqual([200, null]);
    expect((await say(get('/v2/cudasharedmemory/region/r/status')))[0]).toBe(404);
    expect((await say(get(`${BASE}/register`)))[0]).toBe(405);
  });

  test('the same over gRPC', async () => {
    const call = (method: string, request: object) => callGrpc(client, method, request);
    const region = { name: 'g', key: file.key, offset: 128, byte_size: 8 };
    expect(await call('SystemSharedMemoryRegister', region)).toEqual({});
    expect(await call('SystemSharedMemoryRegister', region)).toBe("6 shared memory region 'g' already in manager");
    const listed = { ...region, offset: '128', byte_size: '8' };
    expect(await call('SystemSharedMemoryStatus', { name: 'g' })).toEqual({ regions: { g: listed } });
    expect(await call('SystemSharedMemoryStatus', {})).toEqual({
      regions: { g: listed, r: { name: 'r', key: file.key, byte_size: '256' } },
    });
    expect(await call('SystemSharedMemoryUnregister', { name: 'g' })).toEqual({});
    const unknown = "5 Unable to find system shared memory region: 'g'";
    expect(await call('SystemSharedMemoryStatus', { name: 'g' })).toBe(unknown);
    expect(await call('CudaSharedMemoryStatus', {})).toEqual({});
    expect(await call('CudaSharedMemoryStatus', { name: 'g' })).toBe("5 Unable to find cuda shared memory region: 'g'");
    const noGpu = "3 failed to register CUDA shared memory region: 'g', GPUs not supported";
    expect(await call('CudaSharedMemoryRegister', { name: 'g' })).toBe(noGpu);
    expect(await call('CudaSharedMemoryUnregister', { name: 'g' })).toEqual({});
    expect(await call('SystemSharedMemoryUnregister', {})).toEqual({});
    expect(await call('SystemSharedMemoryStatus', {})).toEqual({});
  });

  test('inputs come from a region and outputs go to it over HTTP, again and again', async () => {
    for (let id = 0; id < 3; id++) {
      file.remove();
      const again = new RegionFile(CONTENT);
      expect(await say(post(`${BASE}/unregister`, ''))).toEqual([200, null]);
      file = again;
      expect(await register('r', { key: file.key, byte_size: 256 })).toEqual([200, null]);
      const [status, answer] = await inferJson('simple', { id: `i${id}`, inputs: INPUTS, outputs: OUTPUTS });
      expect([status, answer]).toEqual([
        200,
        { id: `i${id}`, model_name: 'simple', model_version: '1', outputs: DESCRIBED },
      ]);
      expect(written()).toEqual([bytesOf(SUM), bytesOf(DIFFERENCE)]);
    }
  });

  test('nothing lies behind the JSON of such an answer', async () => {
    const request = post('/v2/models/simple/infer', JSON.stringify({ inputs: INPUTS, outputs: OUTPUTS }));
    for (let turn = 0; turn < 2; turn++) {
      const { headers } = await ask(server.httpPort, request);
      expect(headers.get('content-type')).toBe('application/json');
      expect(headers.has('inference-header-content-length')).toBe(false);
    }
  });

  test('tensors in regions, in JSON and behind it are mixed', async () => {
    const binary: Tensor = { name: 'INPUT1', ...TENSOR, data: [...B], binary: true };
    const outputs = [OUTPUTS[0], { name: 'OUTPUT1', parameters: { binary_data: true } }];
    const { headers, body } = infer('simple', [binary]);
    const head = Buffer.from(
      JSON.stringify({
        inputs: [INPUTS[0], { name: 'INPUT1', ...TENSOR, parameters: { binary_data_size: 64 } }],
        outputs,
      }),
    );
    const tensors = body.subarray(Number(headers['Inference-Header-Content-Length']));
    const request = post('/v2/models/simple/infer', Buffer.concat([head, tensors]), {
      'Inference-Header-Content-Length': String(head.length),
    });
    for (let turn = 0; turn < 2; turn++) {
      const answer = await ask(server.httpPort, request);
      const length = Number(answer.headers.get('inference-header-content-length'));
      expect(JSON.parse(answer.body.toString('utf8', 0, length)).outputs).toEqual([
        DESCRIBED[0],
        { ...DESCRIBED[1], parameters: { binary_data_size: 64 } },
      ]);
      expect(answer.body.subarray(length)).toEqual(bytesOf(DIFFERENCE));
      expect(file.read(128, 64)).toEqual(bytesOf(SUM));
    }
    const json = { inputs: [{ name: 'INPUT0', ...TENSOR, data: [...A] }, INPUTS[1]] };
    const unsaid = {
      name: 'OUTPUT0',
      parameters: { shared_memory_region: 'r', shared_memory_byte_size: 64, binary_data: false },
    };
    expect((await inferJson('simple', { inputs: INPUTS, outputs: [unsaid] }))[0]).toBe(200);
    const [, plain] = await inferJson('simple', json);
    expect(plain).toMatchObject({ outputs: [{ data: [...SUM] }, { data: [...DIFFERENCE] }] });
  });

  test('ensembles, several rows, and JSON that is read in another thread', async () => {
    const ensemble = {
      inputs: [
        { ...INPUTS[0], name: 'A' },
        { ...INPUTS[1], name: 'B' },
      ],
      outputs: [{ name: 'S', ...inRegion('r', 64, 128) }],
    };
    expect((await inferJson('summing', ensemble))[1]).toMatchObject({ outputs: [{ name: 'S', ...TENSOR }] });
    expect(file.read(128, 64)).toEqual(bytesOf(SUM));
    const rows = [{ name: 'INPUT0', datatype: 'INT32', shape: [2, 16], ...inRegion('r', 128) }];
    const copied = { inputs: rows, outputs: [{ name: 'OUTPUT0', ...inRegion('r', 128, 128) }] };
    expect((await inferJson('identity_int32', copied))[0]).toBe(200);
    expect(file.read(128, 128)).toEqual(CONTENT.subarray(0, 128));
    const padding = ' '.repeat(1 << 20);
    const large = post('/v2/models/simple/infer', `${padding}${JSON.stringify({ inputs: INPUTS, outputs: OUTPUTS })}`);
    expect((await say(large))[1]).toMatchObject({ outputs: DESCRIBED });
    expect(written()).toEqual([bytesOf(SUM), bytesOf(DIFFERENCE)]);
  });

  test('large requests, whose bodies are read as they come in', async () => {
    const values = new Int32Array(25_000).fill(7);
    const room = new RegionFile(Buffer.alloc(100_000));
    expect((await register('large', { key: room.key, byte_size: 100_000 }))[0]).toBe(200);
    const outputs = [{ name: 'OUTPUT0', ...inRegion('large', 100_000) }];
    const tensor: Tensor = { name: 'INPUT0', datatype: 'INT32', shape: [1, 25_000], data: [...values], binary: true };
    expect((await say(infer('identity_int32', [tensor], { head: { outputs } })))[0]).toBe(200);
    expect(room.read(0, 100_000).equals(bytesOf(values))).toBe(true);
    room.remove();
    const surplus = {
      model_name: 'simple',
      inputs: [
        { name: 'INPUT0', ...TENSOR, ...inRegionGrpc('r', 64) },
        { name: 'INPUT1', ...TENSOR, ...inRegionGrpc('r', 64, 64) },
      ],
      outputs: [{ name: 'OUTPUT0', ...inRegionGrpc('r', 64, 128) }],
      raw_input_contents: [Buffer.alloc(100_000)],
    };
    expect(await callGrpc(client, 'ModelInfer', surplus)).toMatchObject({ raw_output_contents: [''] });
    expect(file.read(128, 64)).toEqual(bytesOf(SUM));
  });

  test('strings', async () => {
    const text = strings('one', '', 'größer');
    const source = new RegionFile(Buffer.concat([text, Buffer.alloc(100, 0xff)]));
    expect((await register('t', { key: source.key, byte_size: text.length + 100 }))[0]).toBe(200);
    const input = (bytes: number) => ({
      name: 'INPUT0',
      datatype: 'BYTES',
      shape: [1, 3],
      ...inRegion('t', bytes),
    });
    const outputs = [{ name: 'OUTPUT0', ...inRegion('t', 100, text.length) }];
    expect((await inferJson('identity_bytes', { inputs: [input(text.length)], outputs }))[0]).toBe(200);
    expect(source.read(text.length, text.length + 1)).toEqual(Buffer.concat([text, Buffer.of(0xff)]));
    const [status, { error }] = (await inferJson('identity_bytes', { inputs: [input(text.length - 1)] })) as [
      number,
      { error: string },
    ];
    expect([status, error]).toEqual([400, expect.stringContaining('incomplete string data')]);
    source.remove();
  });

  test('the same over gRPC, raw entries for the rest', async () => {
    const shared = [
      { name: 'INPUT0', ...TENSOR, ...inRegionGrpc('r', 64) },
      { name: 'INPUT1', ...TENSOR, ...inRegionGrpc('r', 64, 64) },
    ];
    const outputs = [{ name: 'OUTPUT0', ...inRegionGrpc('r', 64, 128) }, { name: 'OUTPUT1' }];
    const heads = { outputs: [0, 1].map((nth) => ({ ...DESCRIBED[nth], shape: ['1', '16'] })) };
    const head = { model_name: 'simple', outputs };
    const requests = [
      { ...head, inputs: shared },
      { ...head, inputs: [shared[0], { name: 'INPUT1', ...TENSOR }], raw_input_contents: [bytesOf(B)] },
      { ...head, inputs: [{ name: 'INPUT0', ...TENSOR }, shared[1]], raw_input_contents: [bytesOf(A)] },
      {
        ...head,
        inputs: [{ name: 'INPUT0', ...TENSOR, contents: { int_contents: [...A] } }, shared[1]],
      },
    ];
    for (const request of [...requests, ...requests]) {
      expect(await callGrpc(client, 'ModelInfer', request)).toMatchObject({
        ...heads,
        raw_output_contents: ['', bytesOf(DIFFERENCE).toString('base64')],
      });
      expect(file.read(128, 64)).toEqual(bytesOf(SUM));
      file.remove();
      expect(await say(post(`${BASE}/unregister`, ''))).toEqual([200, null]);
      file = new RegionFile(CONTENT);
      expect(await register('r', { key: file.key, byte_size: 256 })).toEqual([200, null]);
    }
  });

  test.each([
    [
      { shared_memory_region: { int64_param: 1 } },
      "'shared_memory_region' parameter for tensor 'INPUT0', expected string_param.",
    ],
    [
      { shared_memory_region: { string_param: 'r' } },
      "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor 'INPUT0'",
    ],
    [
      { shared_memory_region: { string_param: 'r' }, shared_memory_byte_size: { string_param: '64' } },
      "invalid value type for 'shared_memory_byte_size' parameter for tensor 'INPUT0', expected int64_param.",
    ],
  ])('parameters over gRPC that are wrong: %j', async (parameters, text) => {
    const inputs = [{ name: 'INPUT0', ...TENSOR, parameters }];
    const answer = await callGrpc(client, 'ModelInfer', { model_name: 'simple', inputs });
    expect(answer).toMatch(/^3 /);
    expect(answer).toContain(text);
  });

  test('contents beside a region are refused over gRPC', async () => {
    const input = { name: 'INPUT0', ...TENSOR, ...inRegionGrpc('r', 64), contents: { int_contents: [...A] } };
    expect(await callGrpc(client, 'ModelInfer', { model_name: 'simple', inputs: [input] })).toBe(
      "3 unexpected 'content' provided when using shared memory for input tensor 'INPUT0' for model 'simple'",
    );
  });

  test('over WebSocket', async () => {
    const socket = await SocketClient.open(server.httpPort, '/v2/models/simple/infer');
    for (let id = 0; id < 2; id++) {
      const request = post('', JSON.stringify({ id: `w${id}`, inputs: INPUTS, outputs: OUTPUTS }));
      socket.send(messageOf(request));
      const message = (await socket.received(id + 1))[id]!;
      expect(JSON.parse(message.bytes.toString())).toMatchObject({ id: `w${id}`, outputs: DESCRIBED });
      expect(written()).toEqual([bytesOf(SUM), bytesOf(DIFFERENCE)]);
    }
    socket.webSocket.terminate();
  });

  test.each([
    ['q', 64, 0, 404, "Unable to find shared memory region: 'q'"],
    ['r', 64, 256, 400, "Invalid offset for shared memory region: 'r'"],
    ['r', 64, 200, 400, "Invalid offset + byte size for shared memory region: 'r'"],
    ['r', 60, 0, 400, expect.stringContaining('Expected 64, got 60')],
  ])('an input in region %s of %d bytes at %d is refused', async (region, bytes, offset, status, error) => {
    const inputs = [{ name: 'INPUT0', ...TENSOR, ...inRegion(region, bytes, offset) }, INPUTS[1]];
    expect(await inferJson('simple', { inputs })).toEqual([status, { error }]);
  });

  test('an output that has too little room is refused, and nothing is written', async () => {
    const outputs = [OUTPUTS[0], { name: 'OUTPUT1', ...inRegion('r', 63, 192) }];
    const error =
      "shared memory size specified with the request for output 'OUTPUT1' (63 bytes) should be at least 64 bytes to hold the results";
    expect(await inferJson('simple', { inputs: INPUTS, outputs })).toEqual([500, { error }]);
    expect(file.read(192, 64)).toEqual(Buffer.alloc(64));
  });

  test('clients that cut their region off are refused in mid-traffic; all others are served', async () => {
    const cut = new RegionFile(CONTENT);
    expect((await register('cut', { key: cut.key, byte_size: 256 }))[0]).toBe(200);
    const ofCut = (list: object[]) => JSON.parse(JSON.stringify(list).replaceAll('"r"', '"cut"'));
    const both = async (turns: number) =>
      Promise.all(
        Array.from({ length: turns }, async (_, turn) => {
          const head = { inputs: INPUTS, outputs: OUTPUTS };
          const isCut = turn % 2 === 1;
          const sent = isCut ? { inputs: ofCut(INPUTS), outputs: ofCut(OUTPUTS) } : head;
          return { isCut, answer: await inferJson('simple', sent) };
        }),
      );
    const running = both(40);
    cut.truncate(150);
    await running;
    const refused =
      /region 'cut' has become shorter than it was registered, and no longer has room for output 'OUTPUT0'/;
    for (const { isCut, answer } of await both(20)) {
      expect(answer[0]).toBe(isCut ? 400 : 200);
      if (isCut) expect((answer[1] as { error: string }).error).toMatch(refused);
    }
    cut.truncate(0);
    const [status, { error }] = (await inferJson('simple', { inputs: ofCut(INPUTS) })) as [number, { error: string }];
    expect([status, error]).toEqual([400, expect.stringContaining("no longer holds input 'INPUT0'")]);
    cut.remove();
    expect((await inferJson('simple', { inputs: INPUTS, outputs: OUTPUTS }))[0]).toBe(200);
    expect(written()).toEqual([bytesOf(SUM), bytesOf(DIFFERENCE)]);
  });

  test('answers of the cache go to regions too, whoever asked first', async () => {
    const plain = {
      inputs: [
        { name: 'INPUT0', ...TENSOR, data: [...A] },
        { name: 'INPUT1', ...TENSOR, data: [...B] },
      ],
    };
    const shared = { inputs: INPUTS, outputs: OUTPUTS };
    for (const head of [plain, shared, shared, plain, shared]) {
      file.remove();
      expect((await say(post(`${BASE}/unregister`, '')))[0]).toBe(200);
      file = new RegionFile(CONTENT);
      expect((await register('r', { key: file.key, byte_size: 256 }))[0]).toBe(200);
      const [, answer] = await inferJson('cached', head);
      if (head === plain) expect(answer).toMatchObject({ outputs: [{ data: [...SUM] }, { data: [...DIFFERENCE] }] });
      else expect((answer as { outputs: unknown }).outputs).toEqual(DESCRIBED);
      if (head === shared) expect(written()).toEqual([bytesOf(SUM), bytesOf(DIFFERENCE)]);
      const request = {
        model_name: 'cached',
        inputs: [
          { name: 'INPUT0', ...TENSOR, ...inRegionGrpc('r', 64) },
          { name: 'INPUT1', ...TENSOR, ...inRegionGrpc('r', 64, 64) },
        ],
        outputs: [{ name: 'OUTPUT1', ...inRegionGrpc('r', 64, 128) }, { name: 'OUTPUT0' }],
      };
      expect(await callGrpc(client, 'ModelInfer', request)).toMatchObject({
        raw_output_contents: ['', bytesOf(SUM).toString('base64')],
      });
      expect(file.read(128, 64)).toEqual(bytesOf(DIFFERENCE));
    }
    const { model_stats } = await askJson(server.httpPort, get('/v2/models/cached/stats'));
    expect(model_stats[0].inference_stats.cache_hit.count).toBe(8);
  });

  test('a region in use stays for its request, and goes with it', async () => {
    const slow = new RegionFile(Buffer.from(Float32Array.of(1.5, 0).buffer));
    const facts = { key: slow.key, byte_size: 8 };
    expect((await register('s', facts))[0]).toBe(200);
    const head = (id: string, region: string) => ({
      id,
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], ...inRegion(region, 4) }],
      outputs: [{ name: 'OUTPUT0', ...inRegion('s', 4, 4) }],
    });
    const socket = await SocketClient.open(server.httpPort, '/v2/models/slow/infer');
    socket.send(JSON.stringify(head('first', 's')));
    // It is refused behind the first, which runs by then.
    socket.send(JSON.stringify(head('second', 'q')));
    expect((await socket.answers(1))[0]!.id).toBe('second');
    expect((await say(post(`${BASE}/region/s/unregister`, '')))[0]).toBe(200);
    expect((await say(get(`${BASE}/region/s/status`)))[0]).toBe(200);
    expect((await register('s', facts))[0]).toBe(400);
    const third = inferJson('slow', head('third', 's'));
    const answer = JSON.parse((await socket.received(2))[1]!.bytes.toString());
    expect(answer).toMatchObject({ id: 'first', outputs: [{ name: 'OUTPUT0' }] });
    expect(slow.read(4, 4)).not.toEqual(Buffer.alloc(4));
    expect((await third)[0]).toBe(200);
    expect((await say(get(`${BASE}/region/s/status`)))[0]).toBe(404);
    expect((await inferJson('slow', head('fourth', 's')))[0]).toBe(404);
    socket.webSocket.terminate();
    slow.remove();
  });
});

describe('without --allow-client-shm', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['simple'] });
  });

  afterAll(() => server.stop());

  test('only the status works, and the flag is named', async () => {
    const off = /Client shared memory is disabled\. Start the server with '--allow-client-shm=true' to enable\./;
    for (const path of ['region/r/register', 'region/r/unregister', 'unregister']) {
      for (const kind of ['system', 'cuda']) {
        const { status, body } = await ask(server.httpPort, post(`/v2/${kind}sharedmemory/${path}`, '{}'));
        expect([status, body.toString()]).toEqual([501, expect.stringMatching(off)]);
      }
    }
    const status = await ask(server.httpPort, get(`${BASE}/status`));
    expect([status.status, status.body.toString()]).toEqual([200, '[]']);
    const client = new BytesClient(server.grpcPort);
    expect(await callGrpc(client, 'SystemSharedMemoryStatus', {})).toEqual({});
    expect(await callGrpc(client, 'SystemSharedMemoryRegister', { name: 'r', key: '/r', byte_size: 1 })).toMatch(off);
    client.close();
  });
});
