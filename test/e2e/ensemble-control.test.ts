import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import {
  addsOf,
  briefly,
  callGrpc,
  indexOf,
  isReady,
  load,
  plus,
  plusConfig,
  plusFiles,
  putFile,
  putFiles,
  statesOf,
  unload,
} from './control.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

/** An ensemble that adds what these models add, one after the other. */
function chainFiles(name: string, models: readonly string[], batch = 8): Record<string, Uint8Array> {
  const tensor = (i: number) => (i === 0 ? 'INPUT0' : i === models.length ? 'OUTPUT0' : `t${i}`);
  const step = (model: string, i: number) =>
    `step { model_name: "${model}" model_version: -1 input_map { key: "INPUT0" value: "${tensor(i)}" } output_map { key: "OUTPUT0" value: "${tensor(i + 1)}" } }`;
  const config = `
platform: "ensemble"
max_batch_size: ${batch}
input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 1 ] }
ensemble_scheduling { ${models.map(step).join('\n')} }`;
  return { [`${name}/config.pbtxt`]: Buffer.from(config), [`${name}/1/.gitkeep`]: Buffer.from('') };
}

let server: ServerProcess;
let client: BytesClient;

const gone = (name: string) => `404 Request for unknown model: '${name}' has no available versions`;

beforeAll(async () => {
  const ensembles = { ...chainFiles('eleven', ['one', 'ten']), ...chainFiles('twelve', ['eleven', 'one']) };
  server = await ServerProcess.start({
    models: [],
    files: { ...plusFiles('one', 1), ...plusFiles('ten', 10), ...ensembles },
    flags: ['--model-control-mode=explicit'],
  });
  client = new BytesClient(server.grpcPort);
});

beforeEach(async () => {
  expect(briefly(await load(server, 'twelve'))).toBe('200');
  expect(await addsOf(server, 'twelve')).toBe(12);
});

afterEach(async () => {
  for (const { name } of await indexOf(server)) await unload(server, name);
  await putFiles(server, { ...plusFiles('one', 1), ...chainFiles('eleven', ['one', 'ten']) });
});

afterAll(async () => {
  client.close();
  await server.stop();
});

test('loading an ensemble loads its steps, and theirs', async () => {
  expect((await indexOf(server)).map(({ name, state }) => `${name} ${state}`)).toEqual([
    'eleven READY',
    'one READY',
    'ten READY',
    'twelve READY',
  ]);
  expect([await isReady(server), await isReady(server, 'twelve')]).toEqual([true, true]);
});

test('a step that is unloaded takes the ensembles along, and brings them back before its load is answered', async () => {
  expect(briefly(await unload(server, 'ten'))).toBe('200');
  for (const name of ['eleven', 'twelve']) expect(await addsOf(server, name)).toBe(gone(name));
  await until('they are gone', async () => (await statesOf(server, 'twelve'))[0] === '1 UNAVAILABLE: unloaded');
  expect([await isReady(server), await addsOf(server, 'one')]).toEqual([true, 1]);
  expect(briefly(await load(server, 'ten'))).toBe('200');
  expect(await addsOf(server, 'twelve')).toBe(12);
});

test('unload_dependents takes along what is there only because of the ensemble, over HTTP and gRPC', async () => {
  expect(briefly(await load(server, 'one'))).toBe('200');
  expect(briefly(await unload(server, 'twelve', { unload_dependents: true }))).toBe('200');
  expect(await Promise.all(['twelve', 'eleven', 'ten'].map((name) => addsOf(server, name)))).toEqual(
    ['twelve', 'eleven', 'ten'].map(gone),
  );
  expect(await addsOf(server, 'one')).toBe(1);
  expect(briefly(await load(server, 'eleven'))).toBe('200');
  const request = { model_name: 'eleven', parameters: { unload_dependents: { bool_param: true } } };
  expect(await callGrpc(client, 'RepositoryModelUnload', request)).toEqual({});
  expect([await addsOf(server, 'ten'), await addsOf(server, 'one')]).toEqual([gone('ten'), 1]);
  expect(briefly(await load(server, 'eleven'))).toBe('200');
  expect(briefly(await unload(server, 'eleven'))).toBe('200');
  expect(await addsOf(server, 'ten')).toBe(10);
});

test('a step that no longer fits makes its ensembles unavailable, with the reason, until it fits again', async () => {
  await putFile(server, 'ten/config.pbtxt', plusConfig('ten').replace('max_batch_size: 8', 'max_batch_size: 4'));
  expect(briefly(await load(server, 'ten'))).toBe('200');
  expect([await addsOf(server, 'ten'), await addsOf(server, 'twelve')]).toEqual([10, gone('twelve')]);
  const reason =
    'ensemble eleven allows maximum batch size 8, but it contains model ten which only allows maximum batch size to be 4';
  await until('it is gone', async () => (await statesOf(server, 'eleven'))[0] !== '1 UNLOADING');
  expect(await statesOf(server, 'eleven')).toEqual([`1 UNAVAILABLE: Invalid argument: ${reason}`]);
  expect(await isReady(server)).toBe(true);
  expect(briefly(await load(server, 'eleven'))).toBe(`400 load failed for model 'eleven': ${reason}\n`);
  await putFiles(server, plusFiles('ten', 10));
  expect(briefly(await load(server, 'ten'))).toBe('200');
  expect(await addsOf(server, 'twelve')).toBe(12);
});

test('a load is refused with what the steps lack', async () => {
  await putFiles(server, chainFiles('lost', ['one', 'nobody']));
  expect(briefly(await load(server, 'lost'))).toBe(
    "400 load failed for model 'lost': ensemble lost contains models that are not available or ambiguous: nobody\n",
  );
  await putFiles(server, chainFiles('eleven', ['twelve']));
  expect(briefly(await load(server, 'eleven'))).toBe(
    "400 load failed for model 'eleven': circular dependency between ensembles: eleven -> ... -> twelve -> eleven\n",
  );
});

test('no request fails while steps are reloaded, and each is answered by one state of them', async () => {
  const seen = new Set<number | string>();
  let isOver = false;
  const ask = async () => {
    while (!isOver) seen.add(await addsOf(server, 'twelve'));
  };
  const clients = Promise.all(Array.from({ length: 8 }, ask));
  for (const constant of [2, 3, 4]) {
    await putFile(server, 'one/1/model.onnx', plus(constant));
    expect(briefly(await load(server, 'one'))).toBe('200');
    expect(await addsOf(server, 'twelve')).toBe(10 + 2 * constant);
  }
  isOver = true;
  await clients;
  // Never 13: until `eleven` is made of the new `one`, `twelve` has the old one in both places.
  expect([...seen].sort()).toEqual([12, 14, 16, 18]);
});
