import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GrpcTarget } from '../../../../bench/load/target/grpc-target.js';
import type { Headers } from '../../../../bench/load/target/http-client.js';
import { HttpTarget } from '../../../../bench/load/target/http-target.js';
import { parseUrl } from '../../../../bench/load/target/url.js';
import type { V2Target } from '../../../../bench/load/target/v2-target.js';
import { ensembleFiles } from '../../../e2e/ensembles.js';
import { ask, get, infer } from '../../../e2e/requests.js';
import { ServerProcess } from '../../../e2e/server.js';

const chains = ensembleFiles({
  inner: {
    maxBatchSize: 8,
    inputs: ['A INT32 16', 'B INT32 16'],
    outputs: ['S INT32 16'],
    steps: ['simple INPUT0=A INPUT1=B -> OUTPUT0=S'],
  },
  outer: {
    maxBatchSize: 8,
    inputs: ['A INT32 16', 'B INT32 16'],
    outputs: ['S INT32 16'],
    steps: ['inner A=A B=B -> S=t', 'simple INPUT0=t INPUT1=B -> OUTPUT0=S'],
  },
});

const KEY = 'open sesame';
const traces = mkdtempSync(join(tmpdir(), 'conch-target-'));

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({
    models: ['simple', 'countdown', 'sequence_oldest', 'optional_input', 'multi_version', 'identity_bytes'],
    files: chains,
    copies: { cached: 'simple' },
    edits: {
      cached: (config) => `${config}
response_cache { enable: true }`,
    },
    flags: [
      '--id=bench target',
      `--trace-config=triton,file=${join(traces, 'trace.json')}`,
      '--cache-config=local,size=1048576',
      '--http-restricted-api=trace:x-conch-key=open sesame',
      '--grpc-restricted-protocol=trace:x-conch-key=open sesame',
    ],
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(traces, { recursive: true });
});

const at = (protocol: 'http' | 'grpc', port: number, headers: Headers = []): V2Target => {
  const url = parseUrl(protocol, `127.0.0.1:${port}`, null);
  return protocol === 'http' ? new HttpTarget(url, headers) : new GrpcTarget(url, headers);
};

describe.each(['http', 'grpc'] as const)('over %s', (protocol) => {
  let target: V2Target;
  const port = () => (protocol === 'http' ? server.httpPort : server.grpcPort);

  beforeAll(() => {
    target = at(protocol, port());
  });

  afterAll(() => target.close());

  test('the server says what it is', async () => {
    const { name, version, extensions } = await target.server();
    expect(name).toBe('bench target');
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(extensions).toContain('statistics');
  });

  test('a model has tensors, a version and no scheduler of its own', async () => {
    const tensor = { datatype: 'INT32', shape: [-1, 16], isOptional: false };
    expect(await target.model('simple', '')).toEqual({
      name: 'simple',
      version: '1',
      platform: 'onnxruntime_onnx',
      maxBatchSize: 8,
      inputs: [
        { name: 'INPUT0', ...tensor },
        { name: 'INPUT1', ...tensor },
      ],
      outputs: [
        { name: 'OUTPUT0', ...tensor },
        { name: 'OUTPUT1', ...tensor },
      ],
      scheduler: 'default',
      isDecoupled: false,
      usesCache: false,
      composing: [],
    });
  });

  test('schedulers, caches, decoupled models and optional inputs are seen', async () => {
    expect(await target.model('sequence_oldest', '')).toMatchObject({ scheduler: 'sequence', maxBatchSize: 4 });
    expect(await target.model('identity_bytes', '')).toMatchObject({ scheduler: 'dynamic' });
    expect(await target.model('cached', '')).toMatchObject({ usesCache: true });
    expect(await target.model('countdown', '')).toMatchObject({ scheduler: 'iterative', isDecoupled: true });
    const { inputs } = await target.model('optional_input', '');
    expect(inputs.map(({ isOptional }) => isOptional)).toContain(true);
    expect(inputs.map(({ isOptional }) => isOptional)).toContain(false);
  });

  test('without a version the latest answers', async () => {
    expect((await target.model('multi_version', '')).version).toBe('10');
    expect((await target.model('multi_version', '1')).version).toBe('1');
  });

  test('the models of an ensemble are found, and theirs, each once', async () => {
    expect(await target.model('outer', '')).toMatchObject({
      scheduler: 'ensemble',
      composing: [
        { name: 'inner', version: '' },
        { name: 'simple', version: '' },
      ],
    });
  });

  test('statistics count what was asked of a model', async () => {
    const [before] = (await target.statistics('simple', '1'))!;
    const values = Array.from({ length: 32 }, (_, index) => index);
    const tensor = { datatype: 'INT32', shape: [2, 16], data: values } as const;
    await ask(
      server.httpPort,
      infer('simple', [
        { name: 'INPUT0', ...tensor },
        { name: 'INPUT1', ...tensor },
      ]),
    );
    const [after] = (await target.statistics('simple', ''))!;
    expect(after).toMatchObject({ name: 'simple', version: '1', inferences: before!.inferences + 2 });
    expect(after!.executions).toBe(before!.executions + 1);
    expect(after!.success.count).toBe(before!.success.count + 1);
    expect(after!.success.ns).toBeGreaterThan(before!.success.ns);
    expect(after!.fail).toEqual({ count: 0, ns: 0 });
  });

  test('a model that is there is ready; one that is not is not waited for', async () => {
    await target.awaitReady('simple', '', 10_000);
    // So long nobody waits for a test.
    await expect(target.awaitReady('simpel', '', 1e9)).rejects.toThrow(
      /^(http|grpc):\/\/127.* has no model 'simpel': it has cached, .*; did you mean 'simple'\?$/,
    );
    await expect(target.awaitReady('multi_version', '7', 1e9)).rejects.toThrow(/ has no model .*; its versions: 1, /);
  });

  test('an unknown model is an error with the URL and the text of the server', async () => {
    await expect(target.model('nobody', '7')).rejects.toThrow(
      new RegExp(
        `asked ${protocol}://127.0.0.1:${port()}.* for the metadata of model 'nobody' version 7.*got .*'nobody'`,
      ),
    );
  });

  test('headers are sent along, and trace settings change', async () => {
    await expect(target.setTrace('simple', { trace_rate: '7' })).rejects.toThrow(/trace settings of model 'simple'/);
    const keyed = at(protocol, port(), [
      [protocol === 'http' ? 'x-conch-key' : 'triton-grpc-protocol-x-conch-key', KEY],
    ]);
    await keyed.setTrace('simple', { trace_rate: '7', trace_level: ['TIMESTAMPS'] });
    await keyed.setTrace('', { log_frequency: '3' });
    await keyed.close();
    const request = { ...get('/v2/models/simple/trace/setting'), headers: { 'x-conch-key': KEY } };
    const { body } = await ask(server.httpPort, request);
    expect(JSON.parse(body.toString())).toMatchObject({ trace_rate: '7', trace_level: ['TIMESTAMPS'] });
  });

  test('a region is refused in the words of the server where clients may have none', async () => {
    await expect(target.registerRegion('r', '/r', 64)).rejects.toThrow(/allow-client-shm/);
  });
});

describe.each(['http', 'grpc'] as const)('where nobody listens, over %s', (protocol) => {
  test('the error names the URL, the question and what to do', async () => {
    const target = at(protocol, 1);
    await expect(target.server()).rejects.toThrow(
      new RegExp(
        `^cannot ask ${protocol}://127.0.0.1:1 for the server's metadata.*ECONNREFUSED.*Is the server running`,
      ),
    );
    await expect(target.awaitReady('simple', '', 0)).rejects.toThrow(/ECONNREFUSED/);
    await target.close();
  });
});
