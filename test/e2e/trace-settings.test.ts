import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { briefly, callGrpc } from './control.js';
import { ask, get, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

const off = {
  trace_level: ['OFF'],
  trace_rate: '1000',
  trace_count: '-1',
  log_frequency: '0',
  trace_file: 'trace.json',
  trace_mode: 'triton',
};

onEachEngine((engine) => {
  describe('trace settings over HTTP', () => {
    let server: ServerProcess;
    const path = (model: string) => (model === '' ? '/v2/trace/setting' : `/v2/models/${model}/trace/setting`);
    const json = async (answer: ReturnType<typeof ask>) => JSON.parse((await answer).body.toString()) as unknown;
    const read = (model = '') => json(ask(server.httpPort, get(path(model))));
    const write = (model: string, body: unknown) =>
      ask(server.httpPort, post(path(model), typeof body === 'string' ? body : JSON.stringify(body)));

    beforeAll(async () => {
      const flags = ['--trace-config=triton,file=trace.json'];
      server = await ServerProcess.start({ engine, models: ['simple', 'labels'], flags });
      return () => server.stop();
    });

    test('are those of the command line', async () => {
      expect(await read()).toEqual(off);
      expect(await read('simple')).toEqual(off);
    });

    test('of a model follow those of the server field by field, and null clears them', async () => {
      const levels = ['TIMESTAMPS', 'TENSORS', 'SOMETHING'];
      const own = { ...off, trace_rate: '5', trace_level: ['TIMESTAMPS', 'TENSORS'] };
      expect(await json(write('simple', { trace_rate: '5', trace_level: levels }))).toEqual(own);
      expect(await json(write('', { trace_count: '9', trace_rate: '7' }))).toMatchObject({ trace_rate: '7' });
      expect(await read('simple')).toEqual({ ...own, trace_count: '9' });
      expect(await read('labels')).toEqual({ ...off, trace_rate: '7', trace_count: '9' });
      expect(await json(write('simple', { trace_rate: null, trace_level: null }))).toEqual(await read());
      expect(await json(write('', { trace_rate: null, trace_count: null, unknown: 5 }))).toEqual(off);
    });

    test.each([
      ['', '500 failed to parse the request JSON buffer: Unexpected end of JSON input'],
      ['[]', '500 failed to parse the request JSON buffer: expected an object of trace settings'],
      [{ trace_file: 'x' }, '501 trace file location can not be updated through network protocol'],
      [{ trace_level: ['OFF', 'TENSORS'] }, "400 Expect only one trace level 'OFF' is specified"],
      [{ trace_level: 'OFF' }, '500 attempt to access JSON non-array as array'],
      [{ trace_level: [1] }, '500 attempt to access JSON non-string as string'],
      [{ trace_rate: 5 }, '500 attempt to access JSON non-string as string'],
      [{ trace_rate: 'x' }, "400 Unable to parse 'trace_rate', got: x"],
      [
        { log_frequency: '-1' },
        "400 Unable to parse 'log_frequency', value is out of range [ 0, 2147483647 ], got: -1",
      ],
      [{ trace_count: '' }, "400 Unable to parse 'trace_count', got: "],
      [{ trace_count: '-2' }, "400 Unable to parse 'trace_count'. Expecting value >= -1, got:-2"],
      [
        { trace_level: ['TIMESTAMPS'], trace_rate: '0' },
        '400 Attempting to set invalid trace setting :sample rate must be non-zero',
      ],
    ])('%j is refused, and changes nothing', async (body, error) => {
      for (const model of ['', 'simple']) {
        const answer = await write(model, body);
        expect(`${answer.status} ${(JSON.parse(answer.body.toString()) as { error: string }).error}`).toBe(error);
      }
      expect(await read('simple')).toEqual(off);
    });

    test('a rate of 0 is fine while nothing is traced', async () => {
      expect(await json(write('', { trace_rate: '0' }))).toEqual({ ...off, trace_rate: '0' });
      expect((await write('', { trace_rate: null })).status).toBe(200);
    });

    test('an unknown model, a version, and other methods are refused', async () => {
      expect(briefly(await ask(server.httpPort, get(path('nope'))))).toBe('400 Request for unknown model : nope');
      expect(briefly(await write('nope', {}))).toBe('400 Request for unknown model : nope');
      expect((await ask(server.httpPort, get('/v2/models/simple/versions/1/trace/setting'))).status).toBe(404);
      expect((await ask(server.httpPort, { ...get(path('')), method: 'PUT' as 'GET' })).status).toBe(405);
    });
  });
});

test('a server that traces without a file is refused at the start', async () => {
  const main = await ServerProcess.launch({ models: ['simple'], flags: ['--trace-config=level=TIMESTAMPS'] });
  expect(await main.exit).toBe(1);
  expect(main.output).toContain('Attempting to set invalid trace setting :trace file name is not given');
});

describe.each(['conch', 'grpc-js'])('trace settings over gRPC, engine %s', (engine) => {
  let server: ServerProcess;
  let client: BytesClient;

  beforeAll(async () => {
    const flags = [`--grpc-engine=${engine}`, '--trace-config=mode=opentelemetry', '--trace-config=rate=50'];
    server = await ServerProcess.start({ models: ['simple'], flags });
    client = new BytesClient(server.grpcPort);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  const call = (model_name: string, settings: Readonly<Record<string, readonly string[]>>) =>
    callGrpc(client, 'TraceSetting', {
      model_name,
      settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, { value }])),
    });
  const reply = (changed: Readonly<Record<string, readonly string[]>> = {}) => {
    const settings = {
      trace_level: ['OFF'],
      trace_rate: ['50'],
      trace_count: ['-1'],
      trace_mode: ['opentelemetry'],
      url: ['http://localhost:4318/v1/traces'],
      resource: ['service.name=triton-inference-server'],
      bsp_max_queue_size: ['2048'],
      bsp_schedule_delay: ['5000'],
      bsp_max_export_batch_size: ['512'],
      ...changed,
    };
    return { settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, { value }])) };
  };

  test('are read, changed and cleared, with those of OpenTelemetry beside them', async () => {
    expect(await call('', {})).toEqual(reply());
    const own = { trace_level: ['TIMESTAMPS'], trace_rate: ['0'] };
    expect(await call('simple', own)).toEqual(reply(own));
    expect(await call('', { trace_count: ['3'] })).toEqual(reply({ trace_count: ['3'] }));
    expect(await call('simple', {})).toEqual(reply({ ...own, trace_count: ['3'] }));
    expect(await call('simple', { trace_level: [], trace_rate: [] })).toEqual(reply({ trace_count: ['3'] }));
    expect(await call('', { trace_count: [] })).toEqual(reply());
  });

  test.each([
    ['nope', {}, '3 Request for unknown model : nope'],
    ['', { trace_file: ['x'] }, '12 trace file location can not be updated through network protocol'],
    ['', { trace_rate: ['1', '2'] }, "3 expect only 1 value for 'trace_rate'"],
    ['simple', { trace_count: ['many'] }, "3 Unable to parse 'trace_count', got: many"],
    ['simple', { trace_level: ['OFF', 'TIMESTAMPS'] }, "3 Expect only one trace level 'OFF' is specified"],
  ])('%s %j is refused', async (model, settings, error) => {
    expect(await call(model, settings)).toBe(error);
  });
});
