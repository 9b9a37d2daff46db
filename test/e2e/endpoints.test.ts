import { beforeAll, describe, expect, test } from 'vitest';
import type { RawAnswer } from '../protocols/http/raw-client.js';
import { ask, get, infer, oneNumber, post, simpleInputs } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const broken = ['garbage', 'no_file', 'no_version', 'syntax_error', 'unknown_field', 'wrong_shape', 'wrong_type'];
const unreadable = ['syntax_error', 'unknown_field'];

function json(answer: RawAnswer): unknown {
  expect(answer.headers.get('content-type')).toBe('application/json');
  return JSON.parse(answer.body.toString());
}

onEachEngine((engine) => {
  describe('a server of good models', () => {
    let server: ServerProcess;
    const models = ['simple', 'multi_version', 'labels', 'identity_bytes'];
    const read = async (path: string) => ask(server.httpPort, get(path));
    const good = async (path: string) => {
      const answer = await read(path);
      expect(answer.status).toBe(200);
      return json(answer);
    };
    const refused = async (answer: Promise<RawAnswer>, status: number) => {
      expect((await answer).status).toBe(status);
      return (json(await answer) as { error: string }).error;
    };

    beforeAll(async () => {
      server = await ServerProcess.start({ engine, models, flags: ['--id=conch-under-test'] });
      return () => server.stop();
    });

    test('health', async () => {
      expect(await good('/v2/health/live')).toEqual({ live: true });
      expect(await good('/v2/health/ready')).toEqual({ ready: true });
      expect(await good('/v2/models/simple/ready')).toEqual({ name: 'simple', ready: true });
      expect(await good('/v2/models/multi_version/versions/3/ready')).toMatchObject({ ready: true });
    });

    test.each(['/v2', '/v2/', '/v2?x=1'])('server metadata at %s', async (path) => {
      const metadata = { name: 'conch-under-test', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) };
      expect(await good(path)).toMatchObject({ ...metadata, extensions: expect.arrayContaining(['statistics']) });
    });

    test('model metadata', async () => {
      expect(await good('/v2/models/simple')).toEqual({
        name: 'simple',
        versions: ['1'],
        platform: 'onnxruntime_onnx',
        inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [-1, 16] })),
        outputs: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, datatype: 'INT32', shape: [-1, 16] })),
      });
      expect(await good('/v2/models/multi_version/versions/2')).toMatchObject({ versions: ['2'] });
    });

    test('model configuration', async () => {
      expect(await good('/v2/models/simple/config')).toMatchObject({
        name: 'simple',
        backend: 'onnxruntime',
        max_batch_size: 8,
        input: [{ name: 'INPUT0', data_type: 'TYPE_INT32', dims: [16] }, { name: 'INPUT1' }],
        version_policy: { latest: { num_versions: 1 } },
      });
    });

    test('statistics of one version, of one model and of all', async () => {
      const versions = async (path: string) => {
        const { model_stats } = (await good(path)) as { model_stats: { name: string; version: string }[] };
        return model_stats.map(({ name, version }) => `${name} ${version}`);
      };
      expect(await versions('/v2/models/simple/stats')).toEqual(['simple 1']);
      expect(await versions('/v2/models/multi_version/versions/2/stats')).toEqual(['multi_version 2']);
      const all = ['identity_bytes 1', 'labels 1', ...[1, 2, 3, 10].map((n) => `multi_version ${n}`), 'simple 1'];
      expect(await versions('/v2/models/stats')).toEqual(all);
    });

    test('names of the models, and their index', async () => {
      expect(await good('/v2/models')).toEqual({ models: [...models].sort() });
      for (const body of ['', '{}', '{"ready":true}']) {
        const index = json(await ask(server.httpPort, post('/v2/repository/index', body)));
        expect(index).toContainEqual({ name: 'simple', version: '1', state: 'READY' });
      }
      expect((await ask(server.httpPort, post('/v2/repository/any/index', ''))).status).toBe(200);
    });

    test('names may be percent-encoded, and never become a path', async () => {
      expect(await good('/v2/models/%73imple')).toMatchObject({ name: 'simple' });
      expect(await good('/v2/models/s%69mple/versions/1/ready')).toMatchObject({ name: 'simple', ready: true });
      expect((await ask(server.httpPort, infer('sim%70le', simpleInputs(1)))).status).toBe(200);
      for (const name of ['..%2Fsimple', '%2e%2e', 'simple%00', 'simple%2F1']) {
        expect(await refused(read(`/v2/models/${name}/config`), 404)).toMatch(/unknown model/);
      }
      await refused(read('/v2/models/%zz'), 404);
    });

    test('what is not there is 404', async () => {
      expect(await refused(read('/v2/models/none'), 404)).toMatch(/unknown model: 'none'/);
      expect(await refused(read('/v2/models/simple/versions/7'), 404)).toMatch(/'simple'.*not.*version 7|version/);
      for (const path of ['/', '/v1', '/v2/nothing', '/v2/models/simple/nothing', '/v2/models/simple/versions/x']) {
        expect(await refused(read(path), 404)).toBe('Not Found');
      }
      expect(await refused(ask(server.httpPort, infer('none', oneNumber(1))), 404)).toMatch(/unknown model/);
    });

    test('the wrong method is 405, and the answer says which are right', async () => {
      const allowed = async (answer: Promise<RawAnswer>) => {
        expect(await refused(answer, 405)).toBe('Method Not Allowed');
        return (await answer).headers.get('allow');
      };
      for (const path of ['/v2', '/v2/health/live', '/v2/models/simple', '/v2/models/simple/stats']) {
        expect(await allowed(ask(server.httpPort, post(path, '{}')))).toBe('GET');
      }
      for (const path of ['/v2/models/simple/infer', '/v2/repository/index']) {
        expect(await allowed(read(path))).toBe('POST');
      }
      const put = { ...get('/v2/logging'), method: 'PUT' as 'GET' };
      expect(await allowed(ask(server.httpPort, put))).toBe('GET, POST');
      expect(await allowed(ask(server.metricsPort, post('/metrics', '')))).toBe('GET');
    });

    test('bad requests are 400 and say what is wrong', async () => {
      const infers = (body: string, headers = {}) =>
        refused(ask(server.httpPort, post('/v2/models/simple/infer', body, headers)), 400);
      expect(await infers('{"inputs":')).toMatch(/parse/);
      expect(await infers('[]')).not.toBe('');
      const tensors = simpleInputs(1, false);
      const wrong = { ...tensors[0]!, shape: [1, 15], data: new Array<number>(15).fill(0) };
      const short = infer('simple', [wrong, tensors[1]!]).body.toString();
      expect(await infers(short)).toMatch(/INPUT0.*Expected \[-1,16\], got \[1,15\]/s);
      expect(await infers('{}', { 'Inference-Header-Content-Length': 'x' })).toMatch(/Inference-Header-Content-Length/);
      expect(await infers(JSON.stringify({ inputs: [] }))).toMatch(/expected 2 inputs/);
      expect(await refused(ask(server.httpPort, post('/v2/repository/index', '{"ready":1}')), 400)).toMatch(/ready/);
    });

    test('the server still serves after all that', async () => {
      expect((await ask(server.httpPort, infer('simple', simpleInputs(1)))).status).toBe(200);
    });
  });

  test('a model that fails to load stops nobody, and the index says why', async () => {
    const server = await ServerProcess.start({
      engine,
      models: ['simple', ...broken],
      flags: ['--exit-on-error=false', '--strict-readiness=false'],
    });
    const index = json(await ask(server.httpPort, post('/v2/repository/index', ''))) as {
      name: string;
      state?: string;
      reason?: string;
    }[];
    expect(index.map(({ name }) => name).sort()).toEqual([...broken, 'simple'].sort());
    for (const { name, state, reason } of index) {
      if (name === 'simple') expect({ state, reason }).toEqual({ state: 'READY', reason: undefined });
      else if (!unreadable.includes(name))
        expect({ name, reason }).toEqual({ name, reason: expect.stringMatching(/./) });
    }
    for (const name of broken) expect(server.main.stdout).toMatch(new RegExp(`│ ${name} .*│ UNAVAILABLE: .`));
    // Their configurations cannot be read: the index has their names, as Triton's has, and the log has the reason.
    expect(server.main.output).toMatch(/failed to load 'syntax_error': .*config\.pbtxt:\d+:\d+/);
    expect(server.main.output).toMatch(/failed to load 'unknown_field': .*maximum_batch_size.*max_batch_size/);
    expect(index.find(({ name }) => name === 'wrong_shape')!.reason).toMatch(/INPUT0/);
    const ready = json(await ask(server.httpPort, post('/v2/repository/index', '{"ready":true}')));
    expect(ready).toEqual([{ name: 'simple', version: '1', state: 'READY' }]);
    expect((await ask(server.httpPort, get('/v2/health/ready'))).status).toBe(200);
    const one = await ask(server.httpPort, get('/v2/models/garbage/ready'));
    expect([400, 404]).toContain(one.status);
    expect((await ask(server.httpPort, infer('simple', simpleInputs(1)))).status).toBe(200);
    await server.stop();
  });

  test('the index says why a configuration cannot be read', async () => {
    const server = await ServerProcess.start({ engine, models: unreadable, flags: ['--exit-on-error=false'] });
    const index = json(await ask(server.httpPort, post('/v2/repository/index', '')));
    await server.stop();
    expect(index).toContainEqual({
      name: 'syntax_error',
      state: 'UNAVAILABLE',
      reason: expect.stringMatching(/config\.pbtxt:\d+:\d+/),
    });
  });

  test('a model that fails to load makes a server unready where readiness is strict', async () => {
    const server = await ServerProcess.start({
      engine,
      models: ['simple', 'garbage'],
      flags: ['--exit-on-error=false'],
    });
    const answer = await ask(server.httpPort, get('/v2/health/ready'));
    expect([answer.status, json(answer)]).toEqual([400, { ready: false }]);
    expect(json(await ask(server.httpPort, get('/v2/health/live')))).toEqual({ live: true });
    await server.stop();
  });
});
