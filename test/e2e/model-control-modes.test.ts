import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  addsOf,
  briefly,
  countOf,
  indexOf,
  isReady,
  load,
  loadedLine,
  plus,
  plusConfig,
  plusFiles,
  putFile,
  statesOf,
  unload,
} from './control.js';
import { Crowd } from './crowd.js';
import { memoryUsed, metric } from './metrics.js';
import { ask, get, infer, oneNumber, outputsOf } from './requests.js';
import { errorOf } from './sequence-steps.js';
import { ServerProcess, type ServerSettings } from './server.js';
import { until } from './until.js';

const explicit = '--model-control-mode=explicit';

/** Runs a sample for long after `slow` is loaded: until then the load goes on. */
const warmup = (count: number) =>
  `\nmodel_warmup { name: "long" batch_size: 1 count: ${count} inputs { key: "INPUT0" value { data_type: TYPE_FP32 dims: [ 1 ] zero_data: true } } }\n`;
const endless = 4_000_000_000;

let server: ServerProcess;

async function start(settings: Partial<ServerSettings>, ...flags: string[]): Promise<void> {
  server = await ServerProcess.start({ models: [], ...settings, flags: [explicit, ...flags] });
}

afterEach(() => server.stop());

const state = async (model: string) => (await statesOf(server, model))[0]!;
const isLoading = (model: string) => until(`${model} loads`, async () => (await state(model)) === '1 LOADING');

describe('at the start', () => {
  const files = { ...plusFiles('a', 1), ...plusFiles('b', 2), ...plusFiles('c', 3) };

  test('the models that flags name are loaded, and no others', async () => {
    await start({ files }, '--load-model=a', '--load-model=c');
    expect(await Promise.all(['a', 'b', 'c'].map(state))).toEqual(['1 READY', '- -', '1 READY']);
    expect(await addsOf(server, 'c')).toBe(3);
  });

  test('or all', async () => {
    await start({ files }, '--load-model=*');
    expect(await Promise.all(['a', 'b', 'c'].map(state))).toEqual(['1 READY', '1 READY', '1 READY']);
    await unload(server, 'b');
    expect(await addsOf(server, 'b')).toMatch(/^404/);
  });

  test('or it ends where a model is not there', async () => {
    await start({ files }, '--load-model=a');
    const flags = [explicit, '--load-model=nobody'];
    const main = await ServerProcess.launch({ models: [], files, flags });
    expect(await main.exit).toBe(1);
    expect(main.output).toContain("failed to load 'nobody': no repository has a model of this name");
    expect(main.output).toContain('creating server: Internal: failed to load all models');
  });
});

describe('while a model loads', () => {
  test('the server is not ready, answers for other models, and an unload ends the load', async () => {
    await start({ models: ['slow'], files: plusFiles('adder', 1), edits: { slow: (text) => text + warmup(endless) } });
    await load(server, 'adder');
    expect(await addsOf(server, 'adder')).toBe(1);
    const idle = await memoryUsed(server);
    const loading = load(server, 'slow');
    await isLoading('slow');
    expect(await isReady(server)).toBe(false);
    expect(await isReady(server, 'slow')).toBe(false);
    expect(await isReady(server, 'adder')).toBe(true);
    expect(await addsOf(server, 'slow')).toMatch(/^404 Request for unknown model: 'slow' has no available versions/);
    for (let nth = 0; nth < 20; nth++) expect(await addsOf(server, 'adder')).toBe(1);
    expect(briefly(await unload(server, 'slow'))).toBe('200');
    expect(briefly(await loading)).toBe(
      '500 Newer operation has been applied to the model lifecycle, current load operation is out-dated.',
    );
    await until('it is unloaded', async () => (await state('slow')) === '1 UNAVAILABLE: unloaded');
    expect(await isReady(server)).toBe(true);
    await until('its memory is given back', async () => (await memoryUsed(server)) === idle);
  });

  test('two who load it get one load', async () => {
    await start({ models: ['slow'], edits: { slow: (text) => text + warmup(3) } });
    const answers = await Promise.all([load(server, 'slow'), load(server, 'slow'), load(server, 'slow')]);
    expect(answers.map(briefly)).toEqual(['200', '200', '200']);
    expect(countOf(server, loadedLine('slow'))).toBe(1);
  });

  test('one that is not strict is ready, and so it is where a model failed', async () => {
    const edits = { slow: (text: string) => text + warmup(endless) };
    await start({ models: ['slow', 'garbage'], edits }, '--strict-readiness=false');
    expect(briefly(await load(server, 'garbage'))).toMatch(/^400/);
    expect(await isReady(server)).toBe(true);
    const loading = load(server, 'slow');
    await isLoading('slow');
    expect(await isReady(server)).toBe(true);
    await unload(server, 'slow');
    expect((await loading).status).toBe(500);
  });

  test('that serves already, it goes on as it was until the new one serves', async () => {
    await start({ models: ['slow'] });
    await load(server, 'slow');
    const config = (await ask(server.httpPort, get('/v2/models/slow/config'))).body.toString();
    const text = `${config.slice(0, -1).replace('"model_warmup":[],', '')},"model_warmup":[${sample(endless)}]}`;
    const loading = load(server, 'slow', { config: text.replace('"max_batch_size":4', '"max_batch_size":3') });
    await until('the new one runs its sample', async () => countOf(server, 'warmup') > 0 || (await isReady(server)));
    expect(await isReady(server)).toBe(true);
    expect(await isReady(server, 'slow')).toBe(true);
    expect(outputsOf(await ask(server.httpPort, infer('slow', oneNumber(5))))).toEqual({ OUTPUT0: [5] });
    await unload(server, 'slow');
    expect((await loading).status).toBe(500);
  });
});

const sample = (count: number) =>
  JSON.stringify({
    name: 'long',
    batch_size: 1,
    count,
    inputs: { INPUT0: { data_type: 'TYPE_FP32', dims: ['1'], zero_data: true } },
  });

test('a server that is stopped during a load ends it, answers its request and ends with 0', async () => {
  await start({ models: ['slow'], edits: { slow: (config) => config + warmup(endless) } });
  const loading = load(server, 'slow');
  await isLoading('slow');
  server.signal('SIGTERM');
  expect(errorOf(await loading)).toMatch(/^500 Newer operation has been applied to the model lifecycle/);
  expect(await server.main.exit).toBe(0);
});

test('an unload lets what was accepted finish; nobody finds the model meanwhile', async () => {
  await start({ models: ['slow'] }, '--load-model=slow');
  const crowd = await Crowd.ask(
    server,
    Array.from({ length: 24 }, (_, index) => infer('slow', oneNumber(index))),
  );
  expect(await metric(server, 'nv_inference_pending_request_count', { model: 'slow' })).toBeGreaterThan(0);
  expect(briefly(await unload(server, 'slow'))).toBe('200');
  expect(crowd.arrivals.length).toBeLessThan(24);
  expect(await state('slow')).toBe('1 UNLOADING');
  expect(await isReady(server)).toBe(true);
  const request = infer('slow', oneNumber(1));
  expect(errorOf(await ask(server.httpPort, request))).toBe(
    "404 Request for unknown model: 'slow' has no available versions",
  );
  const version = infer('slow/versions/1', oneNumber(1));
  expect(errorOf(await ask(server.httpPort, version))).toBe(
    "503 Request for unknown model: 'slow' version 1 is not at ready state",
  );
  // One that is loaded again meanwhile has nothing to do with it.
  expect(briefly(await load(server, 'slow'))).toBe('200');
  const answers = await crowd.answers;
  expect(answers.map((answer) => outputsOf(answer).OUTPUT0![0])).toEqual(Array.from({ length: 24 }, (_, i) => i));
  expect(await state('slow')).toBe('1 READY');
  await unload(server, 'slow');
  await until('all is given back', async () => (await memoryUsed(server)) === 0);
  await until('slow is unloaded', async () => (await state('slow')) === '1 UNAVAILABLE: unloaded');
});

describe('two repositories', () => {
  let other: string;

  async function startBoth(...flags: string[]): Promise<void> {
    other = await mkdtemp(join(tmpdir(), 'conch-e2e-other-'));
    await mkdir(join(other, 'adder/1'), { recursive: true });
    await writeFile(join(other, 'adder/config.pbtxt'), plusConfig('adder'));
    await writeFile(join(other, 'adder/1/model.onnx'), plus(20));
    const files = { ...plusFiles('adder', 1), ...plusFiles('alone', 3) };
    await start({ files }, `--model-repository=${other}`, ...flags);
  }

  afterEach(() => rm(other, { recursive: true }));

  test('with one name have none of it', async () => {
    await startBoth();
    expect(briefly(await load(server, 'adder'))).toBe(
      "500 failed to load 'adder', failed to poll from model repository: model appears in two or more repositories",
    );
    expect(await indexOf(server)).toEqual([
      { name: 'adder', state: 'UNAVAILABLE', reason: 'model appears in two or more repositories' },
      { name: 'alone' },
    ]);
    expect(briefly(await load(server, 'alone'))).toBe('200');
    await rm(join(other, 'adder'), { recursive: true });
    expect(briefly(await load(server, 'adder'))).toBe('200');
    expect(await addsOf(server, 'adder')).toBe(1);
  });

  test('with names for themselves have both', async () => {
    await startBoth('--model-namespacing=true');
    const spaces = [server.repository, other].map((path) => path.slice(path.lastIndexOf('/') + 1));
    for (const space of spaces) expect(briefly(await load(server, `${space}::adder`))).toBe('200');
    expect(await addsOf(server, `${spaces[0]}::adder`)).toBe(1);
    expect(await addsOf(server, `${spaces[1]}::adder`)).toBe(20);
    expect(await addsOf(server, 'adder')).toMatch(
      /^400 There are 2 identifiers of model 'adder' .* to resolve ambiguity\. Ask for /,
    );
    await load(server, 'alone');
    expect(await addsOf(server, 'alone')).toBe(3);
    await unload(server, `${spaces[1]}::adder`);
    expect(await addsOf(server, `${spaces[0]}::adder`)).toBe(1);
    expect(await addsOf(server, `${spaces[1]}::adder`)).toMatch(/^404/);
  });
});

test('a model whose checksum is right is loaded, and one whose file was changed is not', async () => {
  const agent = (digest: string) =>
    `model_repository_agents { agents [ { name: "checksum" parameters { key: "MD5:1/model.onnx" value: "${digest}" } } ] }`;
  const digest = createHash('md5').update(plus(1)).digest('hex');
  await start({ files: plusFiles('adder', 1, agent(digest)) });
  expect(briefly(await load(server, 'adder'))).toBe('200');
  await putFile(server, 'adder/1/model.onnx', plus(2));
  const refusal = briefly(await load(server, 'adder'));
  expect(refusal).toMatch(/^500 failed to load 'adder', failed to poll from model repository: /);
  expect(refusal).toContain(`Mismatched MD5 hash for file ${server.repository}/adder/1/model.onnx, expect: ${digest}`);
  expect(await addsOf(server, 'adder')).toBe(1);
  const other = createHash('md5').update(plus(2)).digest('hex').toUpperCase();
  await putFile(server, 'adder/config.pbtxt', plusConfig('adder', agent(other)));
  expect(briefly(await load(server, 'adder'))).toBe('200');
  expect(await addsOf(server, 'adder')).toBe(2);
});

test('a load that fails is tried again as often as the flag says', async () => {
  await start({ models: ['garbage'] }, '--model-load-retry-count=3');
  expect(briefly(await load(server, 'garbage'))).toMatch(/^400 load failed for model 'garbage'/);
  expect(countOf(server, "'garbage' version 1 is loaded again after: ")).toBe(3);
  expect(countOf(server, "failed to load 'garbage' version 1: ")).toBe(1);
});
