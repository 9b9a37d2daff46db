import { expect, test } from 'vitest';
import { defaultOptions } from '../../../bench/load/default-options.js';
import type { Load } from '../../../bench/load/load.js';
import { silentProgress } from '../../../bench/load/measure/progress.js';
import type { LoadOptions } from '../../../bench/load/options.js';
import { type RunParts, runLoad } from '../../../bench/load/run-load.js';
import type { ModelCounters, Target, TargetModel } from '../../../bench/load/target/target.js';
import { HandClock } from '../../fakes/clock.js';
import { type Behaviour, ScriptedGenerator, withTime } from './scripted-generator.js';
import { countersOf } from './windows.js';

const model: TargetModel = {
  name: 'simple',
  version: '3',
  platform: 'onnxruntime_onnx',
  maxBatchSize: 8,
  inputs: [],
  outputs: [],
  scheduler: 'dynamic',
  isDecoupled: false,
  usesCache: false,
  composing: [],
};

/** 100 requests per second for each in flight; 1 ms each, as many as there are. */
function linear(load: Load): Behaviour {
  const level = load.kind === 'closed' ? load.concurrency : 1;
  return { perSecond: 100 * level, latencyUs: 1000 * level };
}

interface Setting {
  readonly options?: Partial<LoadOptions>;
  readonly model?: Partial<TargetModel>;
  readonly behaviour?: (load: Load, atMs: number) => Behaviour;
  readonly files?: Readonly<Record<string, string>>;
  readonly atMs?: (ms: number, control: { abort: () => void; break: (error: Error) => void }) => void;
}

async function run(setting: Setting) {
  const clock = new HandClock();
  const generator = new ScriptedGenerator(clock, setting.behaviour ?? linear);
  const abort = new AbortController();
  const said: string[] = [];
  const parts = partsOf(setting, clock, generator, said);
  const measurement = { ...defaultOptions.measurement, intervalMs: 1000, ...setting.options?.measurement };
  const options = { ...defaultOptions, model: 'simple', ...setting.options, measurement };
  const begun: string[] = [];
  const progress = {
    ...silentProgress,
    begin: (name: string, i: number, of: number | null) => begun.push(`${name} ${i}/${of}`),
  };
  const running = runLoad(options, parts, { signal: abort.signal, progress, command: 'conch bench -m simple' });
  const control = { abort: () => abort.abort(), break: generator.break };
  const outcome = await withTime(clock, running, (ms) => setting.atMs?.(ms, control)).catch((error: Error) => error);
  return { outcome, said, begun, generator };
}

function partsOf(setting: Setting, clock: HandClock, generator: ScriptedGenerator, said: string[]): RunParts {
  const target: Target = {
    server: async () => ({ name: 'conch', version: '0.1.0', extensions: [] }),
    awaitReady: async (name) => void said.push(`ready ${name}`),
    model: async () => ({ ...model, ...setting.model }),
    statistics: async () => null,
    registerRegion: async () => {},
    unregisterRegion: async () => {},
    setTrace: async (name, settings) => void said.push(`trace ${name} ${JSON.stringify(settings)}`),
    close: () => void said.push('target closed'),
  };
  const counters = (): ModelCounters[] => [
    countersOf('simple', { inferences: generator.answered, executions: generator.answered / 2 }),
  ];
  return {
    clock,
    now: () => new Date(0),
    readText: async (file) => {
      const text = setting.files?.[file];
      if (text === undefined) throw new Error(`${file} is not there`);
      return text;
    },
    connect: () => target,
    loadData: async () => ({ streams: [] }),
    openGenerator: async () => generator,
    observe: async () => ({
      look: async () => ({ counters: counters(), process: null, metrics: null }),
      close: () => {
        said.push('observer closed');
        return ['3 of 9 reads failed'];
      },
    }),
  };
}

const range = (start: number, end: number, step: number) => ({ start, end, step });

test('a range of concurrency: a result for each, and what was measured', async () => {
  const loads = { kind: 'concurrency', range: range(1, 5, 2), search: 'linear' } as const;
  const { outcome, said, begun, generator } = await run({ options: { loads, batchSize: 2 } });
  expect(outcome).toMatchObject({
    trouble: null,
    report: {
      format: 'conch-bench-1',
      startedAt: '1970-01-01T00:00:00.000Z',
      label: 'simple',
      command: 'conch bench -m simple',
      server: { name: 'conch', version: '0.1.0', protocol: 'http', url: 'localhost:8000' },
      model: { name: 'simple', version: '3', scheduler: 'dynamic' },
      batchSize: 2,
      best: 2,
      isPartial: false,
      results: [
        { name: '1', throughput: 200, isStable: true, models: [{ model: 'simple', inferences: 300, executions: 150 }] },
        { name: '3', throughput: 600 },
        { name: '5', throughput: 1000 },
      ],
    },
  });
  expect(begun).toEqual(['1 0/3', '3 1/3', '5 2/3']);
  expect(said).toEqual(['ready simple', 'observer closed', 'target closed']);
  expect(generator.isClosed).toBe(true);
});

test('a binary search finds the highest concurrency within the limit', async () => {
  const loads = { kind: 'concurrency', range: range(1, 16, 1), search: 'binary' } as const;
  const measurement = { ...defaultOptions.measurement, latencyLimitUs: 6500 };
  const { outcome, begun } = await run({ options: { loads, measurement } });
  expect(begun).toEqual(['1 0/null', '16 1/null', '8 2/null', '4 3/null', '6 4/null', '7 5/null']);
  expect(outcome).toMatchObject({ report: { best: 4, latencyLimitUs: 6500 } });
});

test('a range without an end stops with the first load over the limit', async () => {
  const loads = { kind: 'concurrency', range: range(2, 0, 2), search: 'linear' } as const;
  const measurement = { ...defaultOptions.measurement, latencyLimitUs: 5000, percentile: 99 };
  const { outcome } = await run({ options: { loads, measurement } });
  expect(outcome).toMatchObject({ report: { best: 1, results: [{ name: '2' }, { name: '4' }, { name: '6' }] } });
});

test('loads of files are read, and named after them', async () => {
  const files = { 'd/gaps': '10000\n', 'p.json': '{"phases":[{"seconds":2,"from":0,"to":9}]}' };
  const gaps = await run({ files, options: { loads: { kind: 'intervals', file: 'd/gaps' } } });
  expect(gaps.outcome).toMatchObject({ report: { results: [{ name: 'gaps', lateness: { late: 0 } }] } });
  const profile = await run({
    files,
    options: { loads: { kind: 'profile', file: 'p.json', distribution: 'poisson' } },
  });
  expect(profile.outcome).toMatchObject({ report: { results: [{ name: 'p.json', seconds: 2, isStable: true }] } });
  const bad = await run({ options: { loads: { kind: 'intervals', file: 'nowhere' } } });
  expect(bad.outcome).toMatchObject({ message: 'nowhere: cannot be read: nowhere is not there' });
});

test('concurrency that grows is one result', async () => {
  const loads = { kind: 'periodic', range: range(1, 4, 1), period: 50 } as const;
  const { outcome } = await run({ options: { loads } });
  expect(outcome).toMatchObject({ report: { results: [{ name: '1:4:1', load: { kind: 'closed', concurrency: 4 } }] } });
});

test('traces are set before anything is sent', async () => {
  const { said } = await run({ options: { trace: { trace_level: ['TIMESTAMPS'] } } });
  expect(said[1]).toBe('trace simple {"trace_level":["TIMESTAMPS"]}');
});

test('what the model cannot do is refused, and everything is closed', async () => {
  const batch = await run({ options: { batchSize: 9 } });
  expect(batch.outcome).toEqual(new Error("-b 9: the model 'simple' takes batches of 8 at most (max_batch_size)"));
  expect(batch.said).toContain('target closed');
  const single = await run({ options: { batchSize: 2 }, model: { maxBatchSize: 0 } });
  expect(single.outcome).toMatchObject({ message: expect.stringContaining('does not batch') });
  const decoupled = await run({ model: { isDecoupled: true } });
  expect(decoupled.outcome).toMatchObject({ message: expect.stringContaining('use -i grpc --streaming, or -i ws') });
  const sequences = { ...defaultOptions.sequences, idRange: { first: 1, last: 2 } };
  const loads = { kind: 'concurrency', range: range(3, 3, 1), search: 'linear' } as const;
  const ids = await run({ options: { sequences, loads }, model: { scheduler: 'sequence' } });
  expect(ids.outcome).toMatchObject({ message: expect.stringContaining('has 2 ids, and 3 sequences are alive') });
});

test('Ctrl-C: what was measured so far, marked as partial', async () => {
  const loads = { kind: 'concurrency', range: range(1, 9, 1), search: 'linear' } as const;
  const { outcome, said } = await run({ options: { loads }, atMs: (ms, control) => ms >= 4700 && control.abort() });
  expect(outcome).toMatchObject({
    trouble: null,
    report: {
      isPartial: true,
      results: [
        { name: '1', isStable: true },
        { name: '2', isStable: false },
      ],
    },
  });
  expect(said).toContain('target closed');
});

test('a broken generator: what was measured so far, and why there is no more', async () => {
  const atMs: Setting['atMs'] = (ms, control) => ms >= 4700 && control.break(new Error('a thread died'));
  const loads = { kind: 'concurrency', range: range(1, 9, 1), search: 'linear' } as const;
  const { outcome } = await run({ options: { loads }, atMs });
  expect(outcome).toMatchObject({ trouble: 'a thread died', report: { isPartial: true, results: [{ name: '1' }] } });
  const early = await run({ options: { loads }, atMs: (_, control) => control.break(new Error('unreachable')) });
  expect(early.outcome).toEqual(new Error('unreachable'));
});

test('a load whose requests all fail is the last, and is reported', async () => {
  const loads = { kind: 'concurrency', range: range(1, 9, 1), search: 'linear' } as const;
  const failing = (load: Load) => ({
    ...linear(load),
    failing: load.kind === 'closed' && load.concurrency > 1 ? 1 : 0,
  });
  const { outcome } = await run({ options: { loads }, behaviour: failing });
  expect(outcome).toMatchObject({
    trouble: 'all 200 requests failed with HTTP 503: too busy',
    report: {
      best: 0,
      results: [{ name: '1' }, { name: '2', requests: 0, failures: [{ kind: 'HTTP 503', count: 200 }] }],
    },
  });
});

test.each([
  ['dynamic', "--sequence-length has no effect: the model 'simple' has no sequences."],
  ['iterative', "--sequence-length has no effect: each request to the model 'simple' is a sequence of its own."],
] as const)('lengths of sequences that a model does not have are a note: %s', async (scheduler, note) => {
  const sequences = { ...defaultOptions.sequences, length: 5 };
  const { outcome } = await run({ model: { scheduler }, options: { sequences } });
  expect(outcome).toMatchObject({ notes: [note, '3 of 9 reads failed'] });
});

test('interrupted while it connects, it ends at once, and a target that comes later is closed', async () => {
  const said: string[] = [];
  const clock = new HandClock();
  const parts = partsOf({}, clock, new ScriptedGenerator(clock, linear), said);
  const options = { ...defaultOptions, model: 'simple' };
  const target = await parts.connect(options);
  let arrive!: (late: Target) => void;
  const coming = new Promise<Target>((resolve) => (arrive = resolve));
  const abort = new AbortController();
  const hooks = { signal: abort.signal, progress: silentProgress, command: '' };
  const running = runLoad(options, { ...parts, connect: () => coming }, hooks);
  abort.abort();
  await expect(running).rejects.toThrow('interrupted');
  expect(said).toEqual([]);
  arrive(target);
  await expect.poll(() => said).toEqual(['target closed']);
});
