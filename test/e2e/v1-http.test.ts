import { beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { ensembleFiles } from './ensembles.js';
import { RegionFile } from './region-file.js';
import { ask, askJson, binaryOutputs, bytesOf, get, infer, oneNumber, outputsOf, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { askV1, floats, ints, readV1, SIMPLE, simpleBody, simpleSums, strings, v1Answer, v1Infer } from './v1.js';

const SUCCESS = 'code: SUCCESS server_id: "ours"';
const ensembles = ensembleFiles({
  classed: { maxBatchSize: 4, inputs: ['A FP32 4'], outputs: ['B FP32 4'], steps: ['labels INPUT0=A -> OUTPUT0=B'] },
  failing: {
    maxBatchSize: 4,
    inputs: ['A INT64 1'],
    outputs: ['B FP32 1'],
    steps: ['fails_at_run INPUT0=A -> OUTPUT0=B'],
  },
});
const models = [
  'fails_at_run',
  'simple',
  'labels',
  'identity_bytes',
  'identity_fp32',
  'identity_fp16',
  'sequence_direct',
  'delayed',
];

onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    const flags = ['--id=ours', '--allow-client-shm=true'];
    server = await ServerProcess.start({ engine, models, flags, files: ensembles });
    return () => server.stop();
  });

  const read = async (path: string) => askV1(server.httpPort, get(path));
  const send = async (path: string) => askV1(server.httpPort, post(path, ''));
  const run = async (path: string, header: string, body?: Uint8Array) =>
    askV1(server.httpPort, v1Infer(body === undefined ? { path, header } : { path, header, body }));

  describe('paths and methods', () => {
    test.each(['live', 'ready'])('health %s has no body', async (what) => {
      const answer = await read(`/api/health/${what}`);
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
      expect(answer.body.length).toBe(0);
    });

    test.each(['/api/', '/api/nothing', '/api/health', '/api/health/live/', '/api/health/other'])(
      'GET %s is 400 without a status',
      async (path) => {
        expect(await read(path)).toMatchObject({ code: 400, status: 'none', body: Buffer.alloc(0) });
      },
    );

    test.each([
      '/api/infer/simple/',
      '/api/infer/simple/1/',
      '/api/infer/simple/x',
      '/api/infer/',
      '/api/modelcontrol/load/simple/',
      '/api/modelcontrol/reload/simple',
      '/api/sharedmemorycontrol/unregister',
      '/api/sharedmemorycontrol/register/a/key/0/64',
      '/api/sharedmemorycontrol/register/a//b/c/0/64',
    ])('POST %s is 400 without a status', async (path) => {
      expect(await send(path)).toMatchObject({ code: 400, status: 'none', body: Buffer.alloc(0) });
    });

    test('another method is 405, before the path is looked at', async () => {
      for (const path of ['/api/infer/simple', '/api/infer/a/b/c', '/api/modelcontrol/load/simple'])
        expect(await read(path)).toMatchObject({ code: 405, status: 'none', body: Buffer.alloc(0) });
      for (const path of ['/api/health/live', '/api/status', '/api/sharedmemorycontrol/status'])
        expect(await send(path)).toMatchObject({ code: 405, status: 'none' });
    });

    test('ids of requests follow one another', async () => {
      const ids: number[] = [];
      for (const path of ['/api/health/live', '/api/status/simple', '/api/status/unknown']) {
        const { headers } = await ask(server.httpPort, get(path));
        ids.push(Number(/ request_id: (\d+)$/.exec(headers.get('nv-status')!)![1]));
      }
      expect(ids).toEqual([ids[0], ids[0]! + 1, ids[0]! + 2]);
      expect(ids[0]).toBeGreaterThan(0);
    });
  });

  describe('status', () => {
    interface Status {
      readonly id: string;
      readonly ready_state: string;
      readonly model_status: Record<string, { config: object; version_status: Record<string, object> }>;
      readonly health_stats?: { success: { count: number } };
    }
    const status = async (path: string) => {
      const answer = await read(`/api/status${path}?format=binary`);
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
      return readV1('ServerStatus', answer.body) as unknown as Status;
    };

    test('of one model: its configuration and versions, without the counters of the server', async () => {
      const found = await status('/labels');
      expect(found).toMatchObject({ id: 'ours', ready_state: 'SERVER_READY' });
      expect(Object.keys(found.model_status)).toEqual(['labels']);
      expect(found.model_status.labels).toMatchObject({
        config: {
          name: 'labels',
          platform: 'onnxruntime_onnx',
          max_batch_size: 4,
          input: [{ name: 'INPUT0', data_type: 'TYPE_FP32', dims: [4] }],
          output: [{ name: 'OUTPUT0', dims: [4], label_filename: 'labels.txt' }],
          version_policy: { latest: { num_versions: 1 } },
          instance_group: [{ name: 'labels', kind: 'KIND_CPU' }],
        },
        version_status: { 1: { ready_state: 'MODEL_READY' } },
      });
      expect(found).not.toHaveProperty('health_stats');
    });

    test('of all models, with what was counted before', async () => {
      const before = await status('');
      await read('/api/health/live');
      const after = await status('/');
      expect(Object.keys(after.model_status).sort()).toEqual([...models, 'classed', 'failing'].sort());
      expect(after.health_stats!.success.count).toBe((before.health_stats?.success?.count ?? 0) + 1);
    });

    test('as text and as JSON', async () => {
      const text = await ask(server.httpPort, get('/api/status/simple'));
      expect(text.headers.get('content-type')).toBe('text/plain');
      expect(text.body.toString()).toMatch(/^id: "ours"\nversion: "[\d.]+"\nuptime_ns: \d+\nmodel_status \{\n/);
      expect(text.body.toString()).toContain(
        '    config {\n      name: "simple"\n      platform: "onnxruntime_onnx"\n      version_policy {\n        latest {\n          num_versions: 1\n',
      );
      const json = await askJson(server.httpPort, get('/api/status/simple?format=json'));
      expect(json.model_status.simple.config.input[0]).toEqual({
        name: 'INPUT0',
        data_type: 'TYPE_INT32',
        dims: ['16'],
      });
    });

    test('an unknown model is INVALID_ARG', async () => {
      expect(await read('/api/status/none/such')).toMatchObject({
        code: 400,
        status: `code: INVALID_ARG msg: "no status available for unknown model \\'none/such\\'" server_id: "ours"`,
      });
    });

    test('statistics by the batch size of requests', async () => {
      await run(
        'labels',
        'batch_size: 3 input { name: "INPUT0" } output { name: "OUTPUT0" }',
        floats(...Array(12).fill(1)),
      );
      await run('labels', 'batch_size: 1 input { name: "INPUT0" } output { name: "OUTPUT0" }', floats(1, 2, 3, 4));
      const { version_status } = (await status('/labels')).model_status.labels!;
      const stats = { success: { count: 1, total_time_ns: expect.any(Number) }, compute: { count: 1 } };
      expect(version_status['1']).toMatchObject({
        infer_stats: { 1: stats, 3: stats },
        model_execution_count: 2,
        model_inference_count: 4,
      });
    });
  });

  describe('inference', () => {
    const output = (name: string) => `output { name: "${name}" raw { dims: 16 batch_byte_size: 64 } }`;
    const answered = `model_name: "simple" model_version: 1 batch_size: 1 ${output('OUTPUT0')} ${output('OUTPUT1')}`;

    test('tensors, and the header behind them as text', async () => {
      const answer = await run('simple', SIMPLE, simpleBody(3));
      expect(answer).toMatchObject({ code: 200, status: SUCCESS, header: answered });
      expect(answer.body.subarray(0, 128)).toEqual(simpleSums(3));
      const raw = '  raw {\n    dims: 16\n    batch_byte_size: 64\n  }\n';
      expect(answer.body.subarray(128).toString()).toBe(
        `model_name: "simple"\nmodel_version: 1\nbatch_size: 1\noutput {\n  name: "OUTPUT0"\n${raw}}\noutput {\n  name: "OUTPUT1"\n${raw}}\n`,
      );
    });

    test('the header behind them as a binary message, again and again', async () => {
      for (const id of [0, 7, 300]) {
        const header = id === 0 ? SIMPLE : `${SIMPLE} id: ${id}`;
        const answer = await run('simple/1?format=binary', header, simpleBody(id));
        expect(answer).toMatchObject({ code: 200, header: id === 0 ? answered : `${answered} id: ${id}` });
        expect(answer.body.subarray(0, 128)).toEqual(simpleSums(id));
        const message = readV1('InferResponseHeader', answer.body.subarray(128));
        expect(message).toMatchObject({ model_name: 'simple', batch_size: 1, output: [{ name: 'OUTPUT0' }, {}] });
        expect(message.id).toBe(id === 0 ? undefined : id);
      }
    });

    test('ids are exact to 2^64 - 1, wherever they stand', async () => {
      const id = '18446744073709551615';
      expect((await run('simple', `id: ${id} ${SIMPLE}`, simpleBody(0))).header).toBe(`${answered} id: ${id}`);
      expect((await run('simple', `${SIMPLE} id: ${id}`, simpleBody(0))).header).toBe(`${answered} id: ${id}`);
      expect((await run('simple', `${SIMPLE} flags: 0 id: ${id}`, simpleBody(0))).header).toBe(`${answered} id: ${id}`);
      expect((await run('simple', SIMPLE, simpleBody(0))).header).toBe(answered);
    });

    test('text format in all its forms', async () => {
      const odd = `batch_size: 0x1, input: < name: 'INP' "UT0" dims: [ 16 ] >; input [ { name: "\\111NPUT1" } ] output { name: "OUTPUT1" } `;
      const answer = await run('simple', odd, simpleBody(5));
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
      expect(answer.body.subarray(0, 64)).toEqual(simpleSums(5).subarray(64));
    });

    test('a batch, whose rows lie one behind the other in each tensor', async () => {
      const answer = await run('simple', SIMPLE.replace('batch_size: 1', 'batch_size: 4'), simpleBody(1, 4));
      expect(answer.header).toContain('batch_size: 4 output { name: "OUTPUT0" raw { dims: 16 batch_byte_size: 256 } }');
      expect(answer.body.subarray(0, 512)).toEqual(simpleSums(1, 4));
    });

    test('an output that is not asked for does not come; none are asked for by an empty list', async () => {
      const answer = await run('simple', SIMPLE.replace(/ output .*/, ''), simpleBody(1));
      expect(answer).toMatchObject({ code: 200, header: 'model_name: "simple" model_version: 1 batch_size: 1' });
      expect(answer.body.toString()).toBe('model_name: "simple"\nmodel_version: 1\nbatch_size: 1\n');
    });

    test('inputs in the order of the header', async () => {
      const swapped = SIMPLE.replace('INPUT0', 'x').replace('INPUT1', 'INPUT0').replace('"x"', '"INPUT1"');
      const answer = await run('simple', swapped, simpleBody(0));
      expect(answer.body.subarray(64, 128)).toEqual(ints(...Array.from({ length: 16 }, (_, nth) => 1 - nth)));
    });

    test('shapes that the request says', async () => {
      const header = 'batch_size: 2 input { name: "INPUT0" dims: 3 } output { name: "OUTPUT0" }';
      for (const first of [1, 10]) {
        const body = floats(...Array.from({ length: 6 }, (_, nth) => first + nth));
        const answer = await run('identity_fp32', header, body);
        expect(answer.header).toContain('raw { dims: 3 batch_byte_size: 24 }');
        expect(answer.body.subarray(0, 24)).toEqual(body);
      }
    });

    test('strings', async () => {
      for (const texts of [
        ['a', 'zwölf'],
        ['', 'longer than that'],
        ['x', 'y'],
      ]) {
        const body = strings(...texts);
        const header = `batch_size: 1 input { name: "INPUT0" dims: 2 batch_byte_size: ${body.length} } output { name: "OUTPUT0" }`;
        const answer = await run('identity_bytes', header, body);
        expect(answer.header).toContain(`raw { dims: 2 batch_byte_size: ${body.length} }`);
        expect(answer.body.subarray(0, body.length)).toEqual(body);
      }
    });

    test('a body of any size, in any pieces', async () => {
      const values = Float32Array.from({ length: 300_000 }, (_, nth) => nth);
      const body = Buffer.from(values.buffer);
      const header = `batch_size: 1 input { name: "INPUT0" dims: ${values.length} } output { name: "OUTPUT0" }`;
      const bytes = bytesOf(v1Infer({ path: 'identity_fp32', header, body }));
      const client = await RawClient.open(server.httpPort);
      const steps = [0, 90, 1000, 200_000, 200_001, bytes.length];
      for (let nth = 1; nth < steps.length; nth++) await client.write(bytes.subarray(steps[nth - 1]!, steps[nth]!));
      const answer = v1Answer((await client.answer())!);
      client.destroy();
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
      expect(answer.body.subarray(0, body.length).equals(body)).toBe(true);
    });

    test('classes, with labels and without', async () => {
      const header = 'batch_size: 2 input { name: "INPUT0" } output { name: "OUTPUT0" cls { count: 2 } } id: 9';
      const answer = await run('labels?format=binary', header, floats(0.1, 5, 3, -1, 1e-9, -2, -2, 7));
      expect(answer.header).toBe(
        'model_name: "labels" model_version: 1 batch_size: 2 output { name: "OUTPUT0" ' +
          'batch_classes { cls { idx: 1 value: 5 label: "one" } cls { idx: 2 value: 3 label: "two" } } ' +
          'batch_classes { cls { idx: 3 value: 7 } cls { value: 1e-9 label: "zero" } } } id: 9',
      );
      expect(readV1('InferResponseHeader', answer.body)).toMatchObject({
        output: [{ batch_classes: [{ cls: [{ idx: 1, value: 5, label: 'one' }, {}] }, {}] }],
      });
    });

    test('classes of an ensemble have the labels of the step that made them', async () => {
      const header = 'batch_size: 1 input { name: "A" } output { name: "B" cls { count: 1 } }';
      expect((await run('classed', header, floats(1, 5, 3, 2))).header).toContain(
        'batch_classes { cls { idx: 1 value: 5 label: "one" } }',
      );
    });

    test('a step that fails is named by its ensemble', async () => {
      const header = 'batch_size: 1 input { name: "A" } output { name: "B" } id: 3';
      const answer = await run('failing', header, Buffer.from(BigInt64Array.of(1_000_000n).buffer));
      expect(answer).toMatchObject({ code: 400, header: 'id: 3', body: Buffer.alloc(0) });
      expect(answer.status).toMatch(/^code: INTERNAL msg: "in ensemble \\'failing\\', onnx/);
    });

    test('a datatype without classes is INVALID_ARG', async () => {
      const header = 'batch_size: 1 input { name: "INPUT0" dims: 1 } output { name: "OUTPUT0" cls { count: 1 } }';
      const { code, status } = await run('identity_fp16', header, Buffer.alloc(2));
      expect([code, status]).toEqual([
        400,
        expect.stringMatching(/^code: INVALID_ARG msg: "class result not available/),
      ]);
    });

    test('V1 and V2 requests are in one batch', async () => {
      const body = floats(2);
      const header = 'batch_size: 1 input { name: "INPUT0" } output { name: "OUTPUT0" }';
      const one = async (nth: number) => {
        if (nth % 2 === 0) return (await run('delayed', header, body)).code;
        const answer = await ask(server.httpPort, infer('delayed', oneNumber(2), { head: binaryOutputs }));
        return outputsOf(answer).OUTPUT0 === undefined ? 0 : answer.status;
      };
      expect(await Promise.all(Array.from({ length: 4 }, (_, nth) => one(nth)))).toEqual([200, 200, 200, 200]);
      const { model_stats } = await askJson(server.httpPort, get('/v2/models/delayed/stats'));
      expect(model_stats[0]).toMatchObject({
        inference_count: 4,
        execution_count: 1,
        batch_stats: [{ batch_size: 4 }],
      });
    });
  });

  describe('sequences', () => {
    const step = (id: number | string, flags: number, value: number) => {
      const particulars = `${id === 0 ? '' : ` correlation_id: ${id}`}${flags === 0 ? '' : ` flags: ${flags}`}`;
      const outputs = 'output { name: "OUTPUT" } output { name: "FLAGS" } output { name: "ID" }';
      return run('sequence_direct', `batch_size: 1 input { name: "INPUT" } ${outputs}${particulars}`, ints(value));
    };

    test('are told apart by their correlation ids', async () => {
      const seen: number[][] = [];
      for (const [id, flags] of [
        [1000, 1],
        [1001, 1],
        [1000, 0],
        [1001, 2],
        [1000, 2],
      ] as const) {
        const { body } = await step(id, flags, 5);
        seen.push([body.readInt32LE(4), body.readInt32LE(8), body.readInt32LE(12), Number(body.readBigUInt64LE(16))]);
      }
      expect(seen).toEqual([
        [1, 0, 1, 1000],
        [1, 0, 1, 1001],
        [0, 0, 1, 1000],
        [0, 1, 1, 1001],
        [0, 1, 1, 1000],
      ]);
    });

    test('what begins without START, or has no id, is INVALID_ARG in the words of 19.11', async () => {
      expect((await step(77, 0, 1)).status).toContain(
        `code: INVALID_ARG msg: "inference request for sequence 77 to model \\'sequence_direct\\' must specify the START flag`,
      );
      expect((await step(0, 1, 1)).status).toContain(
        `code: INVALID_ARG msg: "inference request to model \\'sequence_direct\\' must specify`,
      );
    });
  });

  describe('refusals: 400 with the code in NV-Status, an empty body and the id alone', () => {
    test.each([
      ['none', SIMPLE, 128, "UNAVAILABLE msg: \"Inference request for unknown model \\'none\\'"],
      ['simple/7', SIMPLE, 128, 'UNAVAILABLE msg: "Inference request for unknown model'],
      ['simple/0', SIMPLE, 128, 'UNAVAILABLE msg: "Inference request for unknown model'],
      ['simple', SIMPLE.replace('batch_size: 1', 'batch_size: 0'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('batch_size: 1', 'batch_size: 9'), 9 * 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('input { name: "INPUT0" } ', ''), 64, 'INVALID_ARG'],
      [
        'simple',
        SIMPLE.replace('"INPUT0"', '"INPUT2"'),
        128,
        "INVALID_ARG msg: \"unexpected inference input \\'INPUT2\\'",
      ],
      ['simple', SIMPLE.replace('"INPUT0"', '"INPUT1"'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('"INPUT0"', '"INPUT0" dims: 4 dims: 4'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('"INPUT0"', '"INPUT0" dims: -1'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('"INPUT0"', '"INPUT0" batch_byte_size: 60'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('"OUTPUT0"', '"OUTPUT2"'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE.replace('"OUTPUT0"', '"OUTPUT1"'), 128, 'INVALID_ARG'],
      ['simple', SIMPLE, 100, "INVALID_ARG msg: \"unexpected size 36 for input \\'INPUT1\\', expecting 64"],
      ['simple', SIMPLE, 129, 'INVALID_ARG msg: "unexpected additional input data'],
      ['identity_fp32', 'batch_size: 1 input { name: "INPUT0" }', 4, 'INVALID_ARG'],
      [
        'simple',
        SIMPLE.replace('"INPUT0"', '"INPUT0" shared_memory { name: "none" byte_size: 64 }'),
        64,
        'NOT_FOUND msg: "shared memory block \\\'none\\\' not found in manager"',
      ],
    ])('%s, %s, %d bytes', async (path, header, bytes, code) => {
      for (const id of ['', ' id: 42']) {
        const answer = await run(path, header + id, Buffer.alloc(bytes));
        expect(answer).toMatchObject({ code: 400, header: id.trim(), body: Buffer.alloc(0) });
        expect(answer.status.startsWith(`code: ${code}`), answer.status).toBe(true);
        expect(answer.status).toMatch(/ server_id: "ours"$/);
      }
    });

    test.each(['batch_size: x', 'no_such_field: 1', 'input { name: "INPUT0"'])(
      '%s is no header: no status',
      async (header) => {
        expect(await run('simple', header, simpleBody(0))).toMatchObject({ code: 400, status: 'none' });
      },
    );

    test('the connection stays usable', async () => {
      const client = await RawClient.open(server.httpPort);
      for (const header of ['broken', SIMPLE, `${SIMPLE} output { name: "OUTPUT7" }`, SIMPLE]) {
        const answer = (await client.ask(bytesOf(v1Infer({ path: 'simple', header, body: simpleBody(1) }))))!;
        expect(answer.status).toBe(header === SIMPLE ? 200 : 400);
      }
      client.destroy();
    });
  });

  test('clients that go away leave nothing behind, wherever they are', async () => {
    const small = bytesOf(v1Infer({ path: 'simple', header: SIMPLE, body: simpleBody(1) }));
    const header = 'batch_size: 1 input { name: "INPUT0" dims: 100000 } output { name: "OUTPUT0" }';
    const large = bytesOf(v1Infer({ path: 'identity_fp32', header, body: Buffer.alloc(400_000) }));
    const waiting = bytesOf(
      v1Infer({
        path: 'delayed',
        header: 'batch_size: 1 input { name: "INPUT0" } output { name: "OUTPUT0" }',
        body: floats(1),
      }),
    );
    for (const bytes of [small.subarray(0, -60), large.subarray(0, -60), large.subarray(0, 1000), waiting, large]) {
      const client = await RawClient.open(server.httpPort);
      await client.write(bytes);
      client.destroy();
      await client.closed;
    }
    expect((await run('simple', SIMPLE, simpleBody(1))).code).toBe(200);
  });

  test('model control is UNAVAILABLE where requests load no models', async () => {
    for (const action of ['load', 'unload']) {
      const answer = await send(`/api/modelcontrol/${action}/simple`);
      expect([answer.code, answer.body.length]).toEqual([400, 0]);
      expect(answer.status).toMatch(/^code: UNAVAILABLE msg: ".+" server_id: "ours"$/);
    }
  });

  test('shared memory: registered, used for inputs and outputs, and let go', async () => {
    const file = new RegionFile(Buffer.concat([simpleBody(4), Buffer.alloc(128)]));
    try {
      const register = `/api/sharedmemorycontrol/register/all/${file.key}/0/256`;
      expect(await send(register)).toMatchObject({ code: 200, status: SUCCESS, body: Buffer.alloc(0) });
      expect((await send(register)).status).toContain(
        `code: ALREADY_EXISTS msg: "shared memory block \\'all\\' already in manager`,
      );
      const { body } = await read('/api/sharedmemorycontrol/status?format=binary');
      expect(readV1('SharedMemoryStatus', body)).toEqual({
        shared_memory_region: [{ name: 'all', system_shared_memory: { shared_memory_key: file.key }, byte_size: 256 }],
      });
      const place = (name: string, offset: number) =>
        `{ name: "${name}" shared_memory { name: "all"${offset === 0 ? '' : ` offset: ${offset}`} byte_size: 64 } }`;
      const header = `batch_size: 1 input ${place('INPUT0', 0)} input ${place('INPUT1', 64)} output ${place('OUTPUT0', 128)} output ${place('OUTPUT1', 192)}`;
      const answer = await run('simple', header);
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
      expect(answer.header).toContain('output { name: "OUTPUT1" raw { dims: 16 batch_byte_size: 64 } }');
      expect(answer.body.toString().startsWith('model_name:')).toBe(true);
      expect(file.read(128, 128)).toEqual(simpleSums(4));
      const short = await run('simple', header.replaceAll('offset: 192 byte_size: 64', 'offset: 192 byte_size: 60'));
      expect(short.status).toMatch(/^code: INTERNAL/);
      expect(await send('/api/sharedmemorycontrol/unregister/all')).toMatchObject({ code: 200, status: SUCCESS });
      expect(await send('/api/sharedmemorycontrol/unregister/all')).toMatchObject({ code: 200, status: SUCCESS });
      expect(await send('/api/sharedmemorycontrol/unregisterall')).toMatchObject({ code: 200, status: SUCCESS });
      expect((await send('/api/sharedmemorycontrol/register/none//no-such-key/0/64')).status).toMatch(
        /^code: INTERNAL/,
      );
      expect((await send('/api/sharedmemorycontrol/cudaregister/gpu/64/0')).status).toMatch(/^code: INVALID_ARG/);
    } finally {
      file.remove();
    }
  });
});

onEachEngine((engine) => {
  test('models are loaded and unloaded by requests', async () => {
    const flags = ['--model-control-mode=explicit'];
    const server = await ServerProcess.start({
      engine,
      models: ['simple', 'wrong_type', 'syntax_error', 'no_version'],
      flags,
    });
    try {
      const control = (what: string) => askV1(server.httpPort, post(`/api/modelcontrol/${what}`, ''));
      const ok = { code: 200, status: 'code: SUCCESS server_id: "triton"', body: Buffer.alloc(0) };
      expect(await control('load/simple')).toMatchObject(ok);
      expect(
        (await askV1(server.httpPort, v1Infer({ path: 'simple', header: SIMPLE, body: simpleBody(1) }))).code,
      ).toBe(200);
      const tensors = (names: string[]) => names.map((name) => ({ name, data_type: 'TYPE_INT32', dims: [16] }));
      const config = JSON.stringify({
        name: 'simple',
        platform: 'onnxruntime_onnx',
        max_batch_size: 4,
        input: tensors(['INPUT0', 'INPUT1']),
        output: tensors(['OUTPUT0', 'OUTPUT1']),
      });
      // The model is another one by the time that the body is complete.
      const client = await RawClient.open(server.httpPort);
      const bytes = bytesOf(v1Infer({ path: 'simple', header: SIMPLE, body: simpleBody(6) }));
      await client.write(bytes.subarray(0, -20));
      await askV1(server.httpPort, get('/api/health/live'));
      const load = post('/v2/repository/models/simple/load', JSON.stringify({ parameters: { config } }));
      expect((await ask(server.httpPort, load)).status).toBe(200);
      await client.write(bytes.subarray(-20));
      expect((await client.answer())!.body.subarray(0, 128)).toEqual(simpleSums(6));
      client.destroy();
      expect(await control('unload/simple')).toMatchObject(ok);
      expect(await control('unload/unknown')).toMatchObject(ok);
      const failed = (name: string) => `code: INTERNAL msg: "failed to load \\'${name}\\'`;
      expect((await control('load/unknown')).status).toContain(`${failed('unknown')}, no version is available`);
      expect((await control('load/syntax_error')).status).toMatch(
        /msg: "failed to load .'syntax_error.': Invalid argument: .*config\.pbtxt:6:1: .*" server_id/,
      );
      expect((await control('load/no_version')).status).toMatch(
        /msg: "failed to load .'no_version.': at least one version must be available .*[^n]" server_id/,
      );
      expect((await control('load/wrong_type')).status).toContain(
        `${failed('wrong_type')}: version 1 is at UNAVAILABLE`,
      );
      const status = readV1(
        'ServerStatus',
        (await askV1(server.httpPort, get('/api/status/simple?format=binary'))).body,
      );
      expect(status).toMatchObject({
        model_status: { simple: { version_status: { 1: { ready_state: 'MODEL_UNAVAILABLE' } } } },
      });
    } finally {
      await server.stop();
    }
  });
});
