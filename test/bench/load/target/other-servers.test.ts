import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpTarget } from '../../../../bench/load/target/http-target.js';
import { parseUrl } from '../../../../bench/load/target/url.js';
import { json, ScriptedServer } from './scripted-server.js';

const METADATA = {
  name: 'm',
  versions: ['9', '10'],
  platform: 'tensorrt_plan',
  inputs: [{ name: 'I', datatype: 'FP32', shape: ['-1', '3'] }],
  outputs: [{ name: 'O', datatype: 'BYTES', shape: [-1, 1] }],
};

let server: ScriptedServer;
let target: HttpTarget;

beforeEach(async () => {
  server = await ScriptedServer.start({ '/v2/models/m': json(METADATA) });
  target = new HttpTarget(parseUrl('http', `127.0.0.1:${server.port}`, null), []);
});

afterEach(async () => {
  target.close();
  await server.stop();
});

test('without an extension for configurations a model is what its metadata says', async () => {
  expect(await target.model('m', '')).toEqual({
    name: 'm',
    version: '10',
    platform: 'tensorrt_plan',
    maxBatchSize: 0,
    inputs: [{ name: 'I', datatype: 'FP32', shape: [-1, 3], isOptional: false }],
    outputs: [{ name: 'O', datatype: 'BYTES', shape: [-1, 1], isOptional: false }],
    scheduler: 'default',
    isDecoupled: false,
    usesCache: false,
    composing: [],
  });
});

test('ensembles that go in circles end', async () => {
  const ensemble = (...models: string[]) =>
    json({ ensemble_scheduling: { step: models.map((name) => ({ model_name: name, model_version: '-1' })) } });
  server.script = {
    ...server.script,
    '/v2/models/m/config': ensemble('a', 'b', 'a'),
    '/v2/models/a/config': ensemble('m', 'b'),
    '/v2/models/b/config': ensemble('a'),
  };
  const { scheduler, composing } = await target.model('m', '');
  expect(scheduler).toBe('ensemble');
  expect(composing.map(({ name }) => name)).toEqual(['a', 'b', 'm']);
});

test('steps with a version keep it', async () => {
  const step = { model_name: 'a', model_version: '4' };
  server.script = { ...server.script, '/v2/models/m/config': json({ ensemble_scheduling: { step: [step] } }) };
  expect((await target.model('m', '')).composing).toEqual([{ name: 'a', version: '4' }]);
  expect(server.asked).toContain('GET /v2/models/a/versions/4/config');
});

test('64-bit numbers may be strings, and members of statistics may be missing', async () => {
  const stats = {
    model_stats: [
      { name: 'm', version: '1', inference_count: '7', inference_stats: { success: { count: '3', ns: '90' } } },
    ],
  };
  server.script = { '/v2/models/m/stats': json(stats) };
  const nothing = { count: 0, ns: 0 };
  expect(await target.statistics('m', '')).toEqual([
    {
      name: 'm',
      version: '1',
      inferences: 7,
      executions: 0,
      success: { count: 3, ns: 90 },
      fail: nothing,
      queue: nothing,
      computeInput: nothing,
      computeInfer: nothing,
      computeOutput: nothing,
      cacheHit: nothing,
      cacheMiss: nothing,
    },
  ]);
});

test.each([404, 405, 501])('a server that answers %i keeps no statistics', async (status) => {
  server.script = { '/v2/models/m/stats': json({ error: 'no' }, status) };
  expect(await target.statistics('m', '')).toBeNull();
});

test('a model becomes ready while it is waited for', async () => {
  server.script = { '/v2/models/m/ready': { status: 400, body: '' } };
  const ready = target.awaitReady('m', '', 30_000);
  await server.wasAsked(2);
  server.script = { '/v2/models/m/ready': { body: '' } };
  await ready;
  expect(new Set(server.asked)).toEqual(new Set(['GET /v2/models/m/ready', 'POST /v2/repository/index']));
});

test('a model becomes ready while its repository says that it is loading', async () => {
  const index = json([{ name: 'm', version: '1', state: 'LOADING', reason: '' }]);
  server.script = { '/v2/models/m/ready': { status: 400, body: '' }, '/v2/repository/index': index };
  const ready = target.awaitReady('m', '', 1e9);
  await server.wasAsked(4);
  server.script = { ...server.script, '/v2/models/m/ready': { body: '' } };
  await ready;
});

test('without an index, a model that the server does not know is not waited for', async () => {
  await expect(target.awaitReady('other', '', 1e9)).rejects.toThrow(/^http:\/\/127.* has no model 'other'$/);
});

test('what is no answer of the protocol is shown, with the URL', async () => {
  server.script = { '/v2': { body: '<html>hello</html>' } };
  await expect(target.server()).rejects.toThrow(
    /^asked http:\/\/127\.0\.0\.1:\d+\/v2 for the server's metadata, got HTTP 200: <html>hello<\/html>\. Is a server of the V2/,
  );
  server.script = {};
  await expect(target.server()).rejects.toThrow(/got HTTP 404: an empty body/);
});
