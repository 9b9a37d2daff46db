import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  addsOf,
  briefly,
  countOf,
  indexOf,
  isReady,
  load,
  loadedLine,
  plus,
  plusFiles,
  plusJson,
  putFile,
  putFiles,
  statesOf,
  successesOf,
  unload,
} from './control.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, get, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

const explicit = '--model-control-mode=explicit';
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const override = (constant: number, name = 'adder') => ({
  config: plusJson(name),
  'file:1/model.onnx': base64(plus(constant)),
});

onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({
      engine,
      models: ['garbage', 'syntax_error', 'no_version'],
      files: { ...plusFiles('adder', 1), ...plusFiles('odd name é', 5) },
      flags: [explicit],
    });
  });

  afterEach(async () => {
    for (const { name } of await indexOf(server)) await unload(server, encodeURIComponent(name));
    await putFiles(server, plusFiles('adder', 1));
  });

  afterAll(() => server.stop());

  const loadBody = (body: string) => ask(server.httpPort, post('/v2/repository/models/adder/load', body));

  test('nothing is loaded at the start: the index has the names, and the server is ready', async () => {
    const names = (await indexOf(server)).map(({ name }) => name);
    expect(names).toEqual(['adder', 'garbage', 'no_version', 'odd name é', 'syntax_error']);
    expect(await isReady(server)).toBe(true);
    expect(await isReady(server, 'adder')).toBe(false);
    expect(await addsOf(server, 'adder')).toBe("404 Request for unknown model: 'adder' is not found");
  });

  test('a model is loaded and unloaded', async () => {
    const answer = await load(server, 'adder');
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([200, { name: 'adder', load: true }]);
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(await statesOf(server, 'adder')).toEqual(['1 READY']);
    expect(await indexOf(server, '{"ready":true}')).toEqual([{ name: 'adder', version: '1', state: 'READY' }]);
    expect(await isReady(server, 'adder')).toBe(true);
    const gone = await unload(server, 'adder');
    expect([gone.status, JSON.parse(gone.body.toString())]).toEqual([200, { name: 'adder', unload: true }]);
    expect(await addsOf(server, 'adder')).toBe("404 Request for unknown model: 'adder' has no available versions");
    expect(await addsOf(server, 'adder', '1')).toBe(
      "503 Request for unknown model: 'adder' version 1 is not at ready state",
    );
    await until('it is gone', async () => (await statesOf(server, 'adder'))[0] === '1 UNAVAILABLE: unloaded');
    expect(await indexOf(server, '{"ready":true}')).toEqual([]);
    expect(await isReady(server)).toBe(true);
    expect(briefly(await unload(server, 'adder'))).toBe('200');
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(1);
  });

  test('a load where nothing has changed does nothing, and one of a new file loads it', async () => {
    await load(server, 'adder');
    const before = countOf(server, loadedLine('adder'));
    await addsOf(server, 'adder');
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await successesOf(server, 'adder')).toBe(1);
    await putFile(server, 'adder/1/model.onnx', plus(2));
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(2);
    expect(countOf(server, loadedLine('adder'))).toBe(before + 1);
  });

  test('names are percent-decoded, and never become another path', async () => {
    expect(briefly(await load(server, 'odd%20name%20%C3%A9'))).toBe('200');
    expect(await addsOf(server, 'odd%20name%20%C3%A9')).toBe(5);
    for (const name of ['..', '%2e%2e', 'a%2fb', '%2E%2e%2Fadder', 'a%5Cb'])
      expect(briefly(await load(server, name))).toMatch(
        /^400 invalid model name '.*', model name must not contain path traversal characters$/,
      );
    for (const name of ['', '%20'])
      expect(briefly(await load(server, name))).toBe(
        '400 Model name cannot be empty. Please enter a valid name to deploy.',
      );
    expect((await load(server, '%E0%A4%A')).status).toBe(404);
  });

  test('what cannot be loaded says why, and readiness follows', async () => {
    expect(briefly(await load(server, 'nobody'))).toBe(
      "500 failed to load 'nobody', failed to poll from model repository",
    );
    expect(briefly(await load(server, 'syntax_error'))).toMatch(
      /^500 failed to load 'syntax_error', failed to poll from model repository: .*config\.pbtxt:6:1: expected/,
    );
    expect(await isReady(server)).toBe(true);
    expect(briefly(await load(server, 'no_version'))).toBe(
      "400 load failed for model 'no_version': at least one version must be available under the version policy of model 'no_version'\n",
    );
    expect(await isReady(server)).toBe(false);
    await unload(server, 'no_version');
    expect(await isReady(server)).toBe(true);
    const failed = briefly(await load(server, 'garbage'));
    expect(failed).toMatch(
      /^400 load failed for model 'garbage': version 1 is at UNAVAILABLE state: Internal: onnx runtime error 7: .*Protobuf parsing failed\.;\n$/,
    );
    expect(await statesOf(server, 'garbage')).toEqual([
      expect.stringMatching(/^1 UNAVAILABLE: Internal: onnx runtime error 7/),
    ]);
    expect(await isReady(server)).toBe(false);
    expect(await addsOf(server, 'garbage', '1')).toBe(
      "503 Request for unknown model: 'garbage' version 1 is not at ready state",
    );
    await unload(server, 'garbage');
    expect(await isReady(server)).toBe(true);
  });

  test('a file that is repaired loads, and one that breaks leaves what serves', async () => {
    await load(server, 'adder');
    await putFile(server, 'adder/1/model.onnx', 'nonsense');
    expect(briefly(await load(server, 'adder'))).toMatch(
      /^400 load failed for model 'adder': version 1 is at UNAVAILABLE/,
    );
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(await statesOf(server, 'adder')).toEqual([expect.stringMatching(/^1 READY: version 1 failed to load: /)]);
    expect(await isReady(server)).toBe(true);
    await putFile(server, 'adder/1/model.onnx', plus(3));
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(3);
    expect(await statesOf(server, 'adder')).toEqual(['1 READY']);
  });

  test('a configuration of the request is for that load only: in place where it can be, else by a reload', async () => {
    await load(server, 'adder');
    await addsOf(server, 'adder');
    const loads = countOf(server, loadedLine('adder'));
    const configOf = () => askJson(server.httpPort, get('/v2/models/adder/config'));
    const two = plusJson('adder', { instance_group: [{ count: 2, kind: 'KIND_CPU' }] });
    expect(briefly(await load(server, 'adder', { config: two }))).toBe('200');
    expect((await configOf()).instance_group[0].count).toBe(2);
    expect(countOf(server, loadedLine('adder'))).toBe(loads);
    expect(await successesOf(server, 'adder')).toBe(1);
    const larger = plusJson('adder', { max_batch_size: 16 });
    expect(briefly(await load(server, 'adder', { config: larger }))).toBe('200');
    expect(await configOf()).toMatchObject({ max_batch_size: 16, instance_group: [{ count: 1 }] });
    expect(countOf(server, loadedLine('adder'))).toBe(loads + 1);
    expect(await successesOf(server, 'adder')).toBe(0);
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect((await configOf()).max_batch_size).toBe(8);
  });

  test('files of the request are all there is, for that load only; the model needs no folder', async () => {
    await load(server, 'adder');
    expect(briefly(await load(server, 'adder', override(7)))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(7);
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(1);
    const files = { ...override(8, 'sent'), 'file:3/model.onnx': base64(plus(9)) };
    expect(briefly(await load(server, 'sent', files))).toBe('200');
    expect(await addsOf(server, 'sent')).toBe(9);
    expect(await statesOf(server, 'sent')).toEqual(['3 READY']);
    await unload(server, 'sent');
    expect(briefly(await load(server, 'sent'))).toBe("500 failed to load 'sent', failed to poll from model repository");
  });

  test('a body of megabytes is read, and refused, like a small one', async () => {
    const more = { 'file:extra.bin': base64(Buffer.alloc(3 << 20, 'conch')) };
    expect(briefly(await load(server, 'adder', { ...override(11), ...more }))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(11);
    const refused = { ...override(12), ...more, 'file:../outside': '' };
    expect(briefly(await load(server, 'adder', refused))).toMatch(
      /^400 parameter 'file:\.\.\/outside': expected a path/,
    );
    expect(briefly(await load(server, 'adder', { ...more, other: 'x' }))).toMatch(
      /^500 unexpected error on creating Triton parameter 'other'/,
    );
    expect(briefly(await loadBody(`{"parameters":"${'x'.repeat(2 << 20)}"}`))).toMatch(/^400 expected 'parameters' to/);
    expect(await addsOf(server, 'adder')).toBe(11);
    await unload(server, 'adder');
    await until('its memory is given back', async () => (await memoryUsed(server)) === 0);
  });

  test.each([
    ['x', /^400 failed to parse the request JSON buffer: /],
    ['[]', /^400 expected the body of the request to be an object, found \[\]$/],
    ['{"parameters":3}', /^400 expected 'parameters' to be an object, found 3$/],
    ['{"parameters":{"config":3}}', /^500 unexpected error on creating Triton parameter 'config'/],
    ['{"parameters":{"other":"a"}}', /^500 unexpected error on creating Triton parameter 'other'/],
    ['{"parameters":{"file:1/model.onnx":"AAAA"}}', /^500 failed to load 'adder', failed to poll from model repo/],
    ['{"parameters":{"config":"{}","file:1/model.onnx":"%%"}}', /^400 parameter 'file:1\/model.onnx': expected base64/],
    ['{"parameters":{"config":"{}","file:/etc/x":"AAAA"}}', /^400 parameter 'file:\/etc\/x': expected a path/],
    ['{"parameters":{"config":"{\\"nam\\":3}"}}', /^500 .*: Invalid config override: ModelConfig has no field 'nam'/],
    ['{"parameters":{"config":"{"}}', /^500 .*: Invalid config override: the configuration is no JSON: /],
  ])('the body %s is refused, and what serves goes on', async (body, expected) => {
    await load(server, 'adder');
    expect(briefly(await loadBody(body))).toMatch(expected);
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(await isReady(server)).toBe(true);
  });

  test('a repository has no name, but for the index; unload_dependents is a boolean', async () => {
    const path = '/v2/repository/models/adder/unload';
    for (const action of ['load', 'unload'])
      expect(briefly(await ask(server.httpPort, post(`/v2/repository/mine/models/adder/${action}`, '')))).toBe(
        "501 'repository_name' specification is not supported",
      );
    expect((await ask(server.httpPort, post('/v2/repository/mine/index', ''))).status).toBe(200);
    expect(briefly(await ask(server.httpPort, post('/v2/repository/index', '{"ready":1}')))).toBe(
      "400 Invalid value for 'ready': expected a boolean",
    );
    await load(server, 'adder');
    expect(briefly(await unload(server, 'adder', { unload_dependents: 'yes' }))).toMatch(
      /^500 Unable to parse 'unload_dependents'/,
    );
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(briefly(await ask(server.httpPort, post(path, '{"parameters":{"unload_dependents":true,"x":1}}')))).toBe(
      '200',
    );
    expect(await addsOf(server, 'adder')).toMatch(/^404/);
  });
});
