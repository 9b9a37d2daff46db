import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { callGrpc } from './control.js';
import { ask, askJson, get, infer, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const started = {
  log_file: '',
  log_info: true,
  log_warning: true,
  log_error: true,
  log_verbose_level: 0,
  log_format: 'default',
};

onEachEngine((engine) => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models: ['simple'] });
  });
  afterAll(() => server.stop());

  const change = async (body: string) => {
    const { status, body: answer } = await ask(server.httpPort, post('/v2/logging', body));
    const json = JSON.parse(String(answer));
    return status === 200 ? json : `${status} ${json.error}`;
  };

  test('the settings are read, and changed one by one', async () => {
    expect(await askJson(server.httpPort, get('/v2/logging'))).toEqual(started);
    expect(await change('{"log_info":false,"log_verbose_level":2,"log_file":null,"what":1}')).toEqual({
      ...started,
      log_info: false,
      log_verbose_level: 2,
    });
    expect(await change('{"log_format":"ISO8601"}')).toMatchObject({ log_format: 'ISO8601', log_info: false });
    expect(await change(JSON.stringify({ ...started, log_file: null }))).toEqual(started);
  });

  test.each([
    ['{"log_file":"x"}', '501 log file location can not be updated through network protocol'],
    ['{"log_info":false,"log_format":"xml"}', '503 invalid argument for --log_format, got: xml'],
    ['{"log_info":"yes"}', '500 attempt to access JSON non-boolean as boolean'],
    ['{"log_verbose_level":-1}', '500 attempt to access JSON non-unsigned-integer as unsigned-integer'],
    ['{"log_format":7}', '500 attempt to access JSON non-string as string'],
    ['', '500 failed to parse the request JSON buffer'],
    ['[', '500 '],
  ])('%s is refused, and changes nothing', async (body, error) => {
    expect(await change(body)).toContain(error);
    expect(await askJson(server.httpPort, get('/v2/logging'))).toEqual(started);
  });
});

describe.each(['conch', 'grpc-js'])('gRPC engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;
  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['simple'], flags: [`--grpc-engine=${engine}`] });
    client = new BytesClient(server.grpcPort);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const logSettings = (settings: object) => callGrpc(client, 'LogSettings', { settings });

  test('the settings are read and changed', async () => {
    expect(await logSettings({})).toEqual({
      settings: {
        log_file: { string_param: '' },
        log_info: { bool_param: true },
        log_warning: { bool_param: true },
        log_error: { bool_param: true },
        log_verbose_level: { uint32_param: 0 },
        log_format: { string_param: 'default' },
      },
    });
    const changed = await logSettings({ log_verbose_level: { uint32_param: 1 }, log_warning: { bool_param: false } });
    expect(changed).toMatchObject({
      settings: { log_verbose_level: { uint32_param: 1 }, log_warning: { bool_param: false } },
    });
  });

  test.each([
    [{ log_file: { string_param: 'x' } }, '12 log file location can not be updated through network protocol'],
    [{ log_info: { string_param: 'x' } }, "3 expect boolean for 'log_info'"],
    [{ log_verbose_level: { bool_param: true } }, "3 expect int32 for 'log_verbose_level'"],
    [{ log_format: { bool_param: true } }, "3 expect string for 'log_format'"],
    [{ log_format: { string_param: 'xml' } }, '3 invalid argument for log_format, got: xml'],
  ])('%j is refused', async (settings, error) => {
    expect(await logSettings(settings)).toBe(error);
  });
});

test('in the form json each line is an object, and a request that fails has its id', async () => {
  const server = await ServerProcess.start({
    models: [],
    copies: { strict: 'identity_bytes' },
    flags: ['--log-format=json', '--log-verbose=1'],
    files: {
      'thrower/1/model.js': Buffer.from("export function execute() { throw new Error('no'); }"),
      'thrower/config.pbtxt': Buffer.from(thrower),
    },
  });
  const x = { name: 'X', datatype: 'INT32' as const, shape: [1], data: [1] };
  expect((await ask(server.httpPort, infer('thrower', [x], { head: { id: 'r7' } }))).status).toBe(500);
  await server.stop();
  const lines = server.main.output.split('\n').filter((line) => line.startsWith('{'));
  const parsed = lines.map((line) => JSON.parse(line));
  expect(parsed.every(({ time, level, pid, area, msg }) => time && level && pid && area && msg)).toBe(true);
  expect(parsed.find(({ request_id }) => request_id === 'r7')).toMatchObject({ model: 'thrower', level: 'info' });
});

const thrower = `backend: "javascript" max_batch_size: 0
input [ { name: "X" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "Y" data_type: TYPE_INT32 dims: [ 1 ] } ]
`;
