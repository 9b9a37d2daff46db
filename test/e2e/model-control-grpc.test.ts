import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { addsOf, briefly, callGrpc, load, plus, plusFiles, plusJson, putFiles, statesOf, unload } from './control.js';
import { ServerProcess } from './server.js';
import { until } from './until.js';

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;

  beforeAll(async () => {
    server = await ServerProcess.start({
      models: ['garbage'],
      files: plusFiles('adder', 1),
      flags: ['--model-control-mode=explicit', `--grpc-engine=${engine}`],
    });
    client = new BytesClient(server.grpcPort);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const index = (request: object = {}) => callGrpc(client, 'RepositoryIndex', request);
  const loadBy = (request: object) => callGrpc(client, 'RepositoryModelLoad', request);
  const unloadBy = (request: object) => callGrpc(client, 'RepositoryModelUnload', request);

  test('the index has names, versions, states and reasons', async () => {
    expect(await index()).toEqual({
      models: [{ name: 'adder' }, { name: 'garbage' }],
    });
    expect(await loadBy({ model_name: 'garbage' })).toMatch(
      /^3 load failed for model 'garbage': version 1 is at UNAVAILABLE state: Internal: onnx runtime error 7: /,
    );
    expect(await loadBy({ model_name: 'adder' })).toEqual({});
    const ready = { name: 'adder', version: '1', state: 'READY' };
    expect(await index()).toEqual({
      models: [
        ready,
        {
          name: 'garbage',
          version: '1',
          state: 'UNAVAILABLE',
          reason: expect.stringContaining('onnx runtime error 7'),
        },
      ],
    });
    expect(await index({ ready: true })).toEqual({ models: [ready] });
    expect(await index({ repository_name: 'mine' })).toBe("12 'repository_name' specification is not supported");
    expect(await callGrpc(client, 'ServerReady', {})).toEqual({});
    expect(await unloadBy({ model_name: 'garbage' })).toEqual({});
    expect(await callGrpc(client, 'ServerReady', {})).toEqual({ ready: true });
  });

  test('a model is loaded when the answer comes, and not found when the unload is answered', async () => {
    expect(await loadBy({ model_name: 'adder' })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(1);
    expect(await callGrpc(client, 'ModelReady', { name: 'adder' })).toEqual({ ready: true });
    await putFiles(server, plusFiles('adder', 2));
    expect(await loadBy({ model_name: 'adder' })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(2);
    expect(await unloadBy({ model_name: 'adder', parameters: { unload_dependents: { bool_param: true } } })).toEqual(
      {},
    );
    expect(await addsOf(server, 'adder')).toBe("404 Request for unknown model: 'adder' has no available versions");
    await until('it is gone', async () => (await statesOf(server, 'adder'))[0] === '1 UNAVAILABLE: unloaded');
    expect(await loadBy({ model_name: 'nobody' })).toBe(
      "13 failed to load 'nobody', failed to poll from model repository",
    );
    expect(await loadBy({ model_name: '..' })).toMatch(/^3 invalid model name '\.\.'/);
    expect(await unloadBy({ model_name: 'nobody' })).toEqual({});
  });

  test('the name may be where KServe has it, but not in both places', async () => {
    expect(await loadBy({ repository_name: 'adder' })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(2);
    for (const call of [loadBy, unloadBy])
      expect(await call({ repository_name: 'adder', model_name: 'adder' })).toBe(
        "12 'repository_name' specification is not supported",
      );
    expect(await unloadBy({ repository_name: 'adder' })).toEqual({});
    expect(await addsOf(server, 'adder')).toMatch(/^404/);
  });

  test('configurations are texts and files are bytes; other types and names are refused', async () => {
    const parameters = {
      config: { string_param: plusJson('adder') },
      'file:1/model.onnx': { bytes_param: plus(7) },
    };
    expect(await loadBy({ model_name: 'adder', parameters })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(7);
    const large = { ...parameters, 'file:big': { bytes_param: Buffer.alloc(3 << 20) } };
    expect(await loadBy({ model_name: 'adder', parameters: large })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(7);
    const refused = (name: string, value: object) => loadBy({ model_name: 'adder', parameters: { [name]: value } });
    const wrongType = (name: string, expected: string) =>
      `3 invalid value type for load parameter '${name}', expected ${expected}.`;
    expect(await refused('config', { bool_param: true })).toBe(wrongType('config', 'string_param'));
    expect(await refused('config', { bytes_param: Buffer.from('{}') })).toBe(wrongType('config', 'string_param'));
    expect(await refused('config', {})).toBe(wrongType('config', 'string_param'));
    expect(await refused('file:1/model.onnx', { string_param: 'YQ==' })).toBe(
      wrongType('file:1/model.onnx', 'bytes_param'),
    );
    expect(await refused('other', { string_param: '' })).toMatch(/^3 unrecognized load parameter 'other'\./);
    const noBoolean = { unload_dependents: { int64_param: 1 } };
    expect(await unloadBy({ model_name: 'adder', parameters: noBoolean })).toBe(
      "3 invalid value type for 'unload_dependents' parameter, expected bool_param.",
    );
    expect(await addsOf(server, 'adder')).toBe(7);
    expect(await loadBy({ model_name: 'adder' })).toEqual({});
    expect(await addsOf(server, 'adder')).toBe(2);
  });
});

test.each(['none', 'poll'])('in mode %s nobody loads and unloads by requests', async (mode) => {
  const server = await ServerProcess.start({
    models: [],
    files: plusFiles('adder', 1),
    flags: [`--model-control-mode=${mode}`],
  });
  const client = new BytesClient(server.grpcPort);
  const refusal = 'explicit model load / unload is not allowed if polling is enabled';
  for (const action of ['Load', 'Unload'])
    expect(await callGrpc(client, `RepositoryModel${action}`, { model_name: 'adder' })).toBe(`14 ${refusal}`);
  for (const call of [load, unload]) expect(briefly(await call(server, 'adder'))).toBe(`503 ${refusal}`);
  expect(await callGrpc(client, 'RepositoryIndex', { ready: true })).toEqual({
    models: [{ name: 'adder', version: '1', state: 'READY' }],
  });
  expect(await addsOf(server, 'adder')).toBe(1);
  client.close();
  await server.stop();
});
