import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli.js';
import { FlagValues } from '../../src/config/flag-values.js';
import { flags } from '../../src/config/option-table.js';
import { readTraceOptions } from '../../src/config/trace-options.js';
import { defaultTraceSettings } from '../../src/telemetry/trace/settings.js';

function read(texts: readonly string[], more: Readonly<Record<string, string>> = {}, env = {}) {
  const given = new Map(Object.entries(more).map(([name, value]) => [name, [value]]));
  return readTraceOptions(new FlagValues(flags, given.set('trace-config', [...texts])), env);
}

describe('--trace-config', () => {
  test('says nothing by default', () => {
    expect(read([])).toEqual({
      settings: defaultTraceSettings,
      openTelemetry: {
        url: 'http://localhost:4318/v1/traces',
        resource: new Map([['service.name', 'triton-inference-server']]),
        maxQueueSize: 2048,
        scheduleDelayMs: 5000,
        maxExportBatchSize: 512,
      },
    });
  });

  test('mode triton', () => {
    const texts = ['mode=triton', 'triton,file=a=b.json', 'level=tensors', 'level=TIMESTAMPS', 'rate=5', 'rate=6'];
    expect(read([...texts, 'count=7', 'triton,log-frequency=8']).settings).toEqual({
      levels: ['TIMESTAMPS', 'TENSORS'],
      rate: 6,
      count: 7,
      logFrequency: 8,
      file: 'a=b.json',
      mode: 'triton',
    });
  });

  test('mode opentelemetry', () => {
    const texts = ['url=https://host/x', 'resource=a=1', 'resource=service.name=mine', 'bsp_schedule_delay=0'];
    const { settings, openTelemetry } = read([
      'mode=opentelemetry',
      'level=TIMESTAMPS',
      'rate=0',
      ...texts.map((text) => `opentelemetry,${text}`),
    ]);
    expect(settings).toMatchObject({ mode: 'opentelemetry', rate: 0 });
    expect(openTelemetry).toMatchObject({ url: 'https://host/x', scheduleDelayMs: 0 });
    expect([...openTelemetry.resource]).toEqual([
      ['service.name', 'mine'],
      ['a', '1'],
    ]);
  });

  test('variables of OpenTelemetry count where flags do not', () => {
    const env = {
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 'some',
    };
    const { openTelemetry } = read(['opentelemetry,bsp_schedule_delay=30'], {}, env);
    expect(openTelemetry).toMatchObject({ maxQueueSize: 100, scheduleDelayMs: 30, maxExportBatchSize: 100 });
  });

  test('the flags of before count where it says nothing', () => {
    const before = {
      'trace-file': 'f',
      'trace-level': 'TIMESTAMPS',
      'trace-rate': '2',
      'trace-count': '3',
      'trace-log-frequency': '4',
    };
    const expected = { ...defaultTraceSettings, levels: ['TIMESTAMPS'], rate: 2, count: 3, logFrequency: 4, file: 'f' };
    expect(read([], before).settings).toEqual(expected);
    expect(read(['rate=9', 'triton,file=g'], before).settings).toEqual({ ...expected, rate: 9, file: 'g' });
  });

  test.each([
    ['MIN', ['TIMESTAMPS']],
    ['max', ['TIMESTAMPS']],
    ['On', ['TIMESTAMPS']],
    ['true', ['TIMESTAMPS']],
    ['tensors', ['TENSORS']],
    ['false', []],
    ['off', []],
  ])('the level %s of before is still understood', (level, levels) => {
    expect(read([], { 'trace-file': 'f', 'trace-level': level }).settings.levels).toEqual(levels);
    expect(read([`level=${level}`, 'triton,file=f']).settings.levels).toEqual(levels);
  });

  test('an URL without a scheme is one of HTTP', () => {
    expect(read(['opentelemetry,url=localhost:10000/v1/traces']).openTelemetry.url).toBe(
      'http://localhost:10000/v1/traces',
    );
  });

  test('--trace-level may be given twice', () => {
    const line = ['dir', '--trace-file=f', '--trace-level=TENSORS', '--trace-level=MIN'];
    expect(parseCommandLine(line)).toMatchObject({
      options: { trace: { settings: { levels: ['TIMESTAMPS', 'TENSORS'] } } },
    });
  });

  test('the flags of before name their successor', () => {
    expect(parseCommandLine(['dir', '--trace-rate=5'])).toMatchObject({
      notes: ['--trace-rate is deprecated: use --trace-config rate=N'],
    });
  });

  test.each([
    ['rate', 'expected KEY=VALUE with one of mode; level; rate'],
    ['speed=1', "got 'speed=1'"],
    ['triton,url=x', "got 'triton,url=x'"],
    ['rate=-1', 'expected rate=N with a whole number from 0 to 2147483647'],
    ['count=-2', 'expected count=N with a whole number from -1 to 2147483647'],
    ['rate=1.5', "got '1.5'"],
    ['level=SOME', 'expected level=OFF|TIMESTAMPS|TENSORS'],
    ['mode=jaeger', 'expected mode=triton|opentelemetry'],
    ['opentelemetry,url=grpc://host:4318', 'expected opentelemetry,url=http://HOST:PORT/PATH'],
    ['opentelemetry,url=host:http', "got 'host:http'"],
    ['opentelemetry,resource=name', 'expected opentelemetry,resource=KEY=VALUE'],
    ['opentelemetry,bsp_max_queue_size=0', 'a whole number from 1 to'],
    ['level=TIMESTAMPS', 'Attempting to set invalid trace setting :trace file name is not given'],
  ])('%s is refused', (text, reason) => {
    expect(() => read([text])).toThrow(reason);
  });

  test('OFF goes alone', () => {
    expect(() => read(['level=OFF', 'level=TENSORS'])).toThrow("'level=OFF' goes with no other level");
  });
});
