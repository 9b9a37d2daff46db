import { expect, test } from 'vitest';
import { defaultOptions } from '../../../../bench/load/default-options.js';
import type { Load } from '../../../../bench/load/load.js';
import { LoadMeasurer } from '../../../../bench/load/measure/load-measurer.js';
import type { Look } from '../../../../bench/load/measure/observer.js';
import type { Moment } from '../../../../bench/load/measure/progress.js';
import type { MeasurementOptions } from '../../../../bench/load/options.js';
import { HandClock } from '../../../fakes/clock.js';
import { type Behaviour, ScriptedGenerator, withTime } from '../scripted-generator.js';

const two: Load = { kind: 'closed', concurrency: 2 };
const steady = (): Behaviour => ({ perSecond: 200, latencyUs: 1000 });

function setUp(behaviour: (load: Load, atMs: number) => Behaviour, given: Partial<MeasurementOptions> = {}) {
  const clock = new HandClock();
  const generator = new ScriptedGenerator(clock, behaviour);
  const abort = new AbortController();
  const moments: Moment[] = [];
  const server = { diesAtMs: Number.POSITIVE_INFINITY };
  let looks = 0;
  const measurer = new LoadMeasurer({
    generator,
    observer: {
      look: async (): Promise<Look> => {
        if (clock.nowUs() / 1000 >= server.diesAtMs) throw new Error('connection refused');
        looks += 1;
        return { counters: null, process: { cpuSeconds: looks, memoryBytes: 5 }, metrics: null };
      },
    },
    clock,
    signal: abort.signal,
    progress: { begin() {}, tick: (moment) => moments.push(moment), close() {} },
    options: { ...defaultOptions.measurement, intervalMs: 1000, ...given },
    requestTimeoutMs: 2000,
  });
  return { clock, generator, abort, moments, measurer, server };
}

const lengths = (windows: readonly { beginMs: number; endMs: number }[] = []) =>
  windows.map(({ beginMs, endMs }) => endMs - beginMs);

test('windows of time, after a warm-up, until three of them agree', async () => {
  const { clock, generator, moments, measurer } = setUp(steady);
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toEqual({ kind: 'done' });
  expect(measured?.isStable).toBe(true);
  expect(lengths(measured?.windows)).toEqual([1000, 1000, 1000]);
  expect(measured?.windows[0]?.beginMs).toBe(500);
  expect(measured?.windows.map(({ requests }) => requests)).toEqual([200, 200, 200]);
  expect(measured?.looks.map(({ process }) => process?.cpuSeconds)).toEqual([1, 2, 3, 4]);
  expect(generator.starts).toEqual([{ load: two, requestLimit: 0 }]);
  expect(moments.at(-1)).toEqual({ stage: 'window', window: 3, fraction: 1, answersPerSecond: 200, meanUs: 1000 });
});

test('only the last three windows count, and the looks around them', async () => {
  const { clock, measurer } = setUp((_, atMs) => ({ perSecond: atMs < 2000 ? 50 : 200, latencyUs: 1000 }));
  const { measured } = await withTime(clock, measurer.measure(two));
  expect(measured?.windows.map(({ beginMs }) => beginMs)).toEqual([1500, 2500, 3500]);
  expect(measured?.looks.map(({ process }) => process?.cpuSeconds)).toEqual([2, 3, 4, 5]);
});

test('what does not settle is unstable after so many windows', async () => {
  const { clock, measurer } = setUp((_, atMs) => ({ perSecond: 200, latencyUs: Math.round(atMs) }), { maxTrials: 4 });
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toEqual({ kind: 'done' });
  expect(measured?.isStable).toBe(false);
  expect(measured?.windows.map(({ beginMs }) => beginMs)).toEqual([1500, 2500, 3500]);
});

test('windows of so many requests at least', async () => {
  const { clock, measurer } = setUp(steady, { mode: 'count_windows', windowRequests: 30, warmupMs: 0 });
  const { measured } = await withTime(clock, measurer.measure(two));
  for (const { requests } of measured!.windows) expect(requests).toBeGreaterThanOrEqual(30);
  expect(lengths(measured?.windows)).toEqual([150, 150, 150]);
});

test('warm-up by requests, then by time', async () => {
  const { clock, measurer } = setUp(steady, { warmupRequests: 100, warmupMs: 300 });
  const { measured } = await withTime(clock, measurer.measure(two));
  expect(measured?.windows[0]?.beginMs).toBe(800);
});

test('the next load begins without a pause, and its warm-up is not counted', async () => {
  const { clock, generator, measurer } = setUp((load) => ({
    perSecond: load.kind === 'closed' ? load.concurrency * 100 : 0,
    latencyUs: 1000,
  }));
  await withTime(clock, measurer.measure(two));
  const { measured } = await withTime(clock, measurer.measure({ kind: 'closed', concurrency: 4 }));
  expect(measured?.windows[0]?.beginMs).toBe(4000);
  expect(measured?.windows[0]?.requests).toBe(400);
  expect(generator.starts.length).toBe(2);
});

test('exactly so many requests in one window, which begins with the load', async () => {
  const { clock, generator, measurer } = setUp(steady, { requestCount: 77 });
  const { measured } = await withTime(clock, measurer.measure(two));
  expect(measured?.isStable).toBe(true);
  expect(measured?.windows.map(({ requests }) => requests)).toEqual([77]);
  expect(measured?.windows[0]?.beginMs).toBe(500);
  expect(generator.starts.map(({ requestLimit }) => requestLimit)).toEqual([0, 77]);
});

const profile: Load = {
  kind: 'open',
  arrivals: {
    kind: 'profile',
    phases: [{ seconds: 1.5, fromPerSecond: 200, toPerSecond: 200 }],
    distribution: 'constant',
    seed: 0,
  },
  maxInFlight: 8,
};

test('a profile is one window as long as it, from its beginning', async () => {
  const { clock, generator, measurer } = setUp(steady);
  const { measured } = await withTime(clock, measurer.measure(profile));
  expect(measured?.isStable).toBe(true);
  expect(lengths(measured?.windows)).toEqual([1500]);
  expect(generator.starts.length).toBe(2);
});

test('a profile whose requests are late is measured until they are answered', async () => {
  const { clock, moments, measurer } = setUp(() => ({ ...steady(), overdueMs: 400 }), { warmupMs: 0 });
  const { measured, ending } = await withTime(clock, measurer.measure(profile));
  expect(ending).toEqual({ kind: 'done' });
  expect(lengths(measured?.windows)).toEqual([1900]);
  expect(moments.at(-2)?.fraction).toBeLessThan(1);
});

test('more requests than a profile has: it ends with the profile', async () => {
  const { clock, measurer } = setUp(steady, { requestCount: 1000, warmupMs: 0 });
  const { measured, ending } = await withTime(clock, measurer.measure(profile));
  expect(ending).toEqual({ kind: 'done' });
  expect(measured?.windows.map(({ requests }) => requests)).toEqual([300]);
});

test('a profile whose last answers never come ends as a server that falls silent', async () => {
  const behaviour = (_: Load, atMs: number) => ({ perSecond: atMs < 1000 ? 200 : 0, latencyUs: 1, overdueMs: 1e9 });
  const { clock, measurer } = setUp(behaviour, { warmupMs: 0 });
  const { ending } = await withTime(clock, measurer.measure(profile));
  expect(ending).toMatchObject({ kind: 'silent' });
});

test('concurrency grows when each request in flight has had its answers', async () => {
  const { clock, generator, measurer } = setUp(
    (load) => ({ perSecond: load.kind === 'closed' ? load.concurrency * 100 : 0, latencyUs: 1000 }),
    { warmupMs: 0 },
  );
  const { measured } = await withTime(clock, measurer.measureRamp({ start: 1, end: 7, step: 3 }, 20));
  const levels = generator.starts.map(({ load }) => load.kind === 'closed' && load.concurrency);
  expect(levels).toEqual([1, 4, 7]);
  expect(measured?.windows.length).toBe(1);
  // 20 answers each, at 100 per second and lane, three times.
  expect(lengths(measured?.windows)).toEqual([600]);
});

test('a model slower than a window gets longer windows', async () => {
  const { clock, measurer } = setUp(() => ({ perSecond: 0.5, latencyUs: 2_000_000 }), { warmupMs: 0 });
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toEqual({ kind: 'done' });
  expect(measured?.windows.every(({ requests }) => requests >= 1)).toBe(true);
});

test('a window whose requests all failed ends the load, with the reason', async () => {
  const { clock, measurer } = setUp(() => ({ perSecond: 100, latencyUs: 10, failing: 1 }));
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toEqual({ kind: 'silent', message: 'all 100 requests failed with HTTP 503: too busy' });
  expect(measured?.windows.length).toBe(1);
});

test('a server that answers nothing ends the load, after all requests must have timed out', async () => {
  const { clock, measurer } = setUp(() => ({ perSecond: 0, latencyUs: 0 }), { warmupMs: 0 });
  const { ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toMatchObject({ kind: 'silent', message: expect.stringContaining('nothing was answered for 5.0 s') });
});

test.each(['time_windows', 'count_windows'] as const)('the user ends it: what there is counts (%s)', async (mode) => {
  const { clock, abort, measurer } = setUp(steady, { mode, windowRequests: 200, warmupMs: 0 });
  const measuring = withTime(clock, measurer.measure(two), (ms) => ms >= 1250 && abort.abort());
  const { measured, ending } = await measuring;
  expect(ending).toEqual({ kind: 'interrupted' });
  expect(measured?.isStable).toBe(false);
  expect(lengths(measured?.windows)).toEqual([1000, 250]);
  expect(measured?.looks.length).toBe(3);
});

test('the user ends it in the warm-up: nothing was measured', async () => {
  const { clock, abort, measurer } = setUp(steady);
  const outcome = await withTime(clock, measurer.measure(two), (ms) => ms >= 100 && abort.abort());
  expect(outcome).toEqual({ measured: null, ending: { kind: 'interrupted' } });
});

test('a broken generator ends it: whole windows count', async () => {
  const { clock, generator, measurer } = setUp(steady);
  const error = new Error('a thread died');
  const outcome = await withTime(clock, measurer.measure(two), (ms) => ms >= 1700 && generator.break(error));
  expect(outcome.ending).toEqual({ kind: 'broken', error });
  expect(outcome.measured?.windows.length).toBe(1);
  expect(await measurer.measure(two)).toEqual({ measured: null, ending: { kind: 'broken', error } });
});

test('a server that cannot be reached ends it', async () => {
  const { generator, measurer } = setUp(steady);
  const error = new Error('127.0.0.1:8000 cannot be reached: connection refused');
  generator.start = () => Promise.reject(error);
  expect(await measurer.measure(two)).toEqual({ measured: null, ending: { kind: 'broken', error } });
});

test('a server that dies meanwhile: whole windows count, and why there are no more', async () => {
  const { clock, measurer, server } = setUp((_, atMs) => ({
    ...steady(),
    latencyUs: Math.round(atMs),
    failing: atMs > 4000 ? 1 : 0,
  }));
  server.diesAtMs = 4000;
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(ending).toMatchObject({
    kind: 'silent',
    message: expect.stringContaining('all 200 requests failed with HTTP 503'),
  });
  expect(measured?.windows.map(({ requests }) => requests)).toEqual([200, 200, 0]);
  expect(measured?.looks.map(({ process }) => process?.cpuSeconds)).toEqual([2, 3, 4, undefined]);
});

test('a server that cannot be asked at the beginning ends it', async () => {
  const { clock, measurer, server } = setUp(steady);
  server.diesAtMs = 0;
  const { measured, ending } = await withTime(clock, measurer.measure(two));
  expect(measured).toBeNull();
  expect(ending).toEqual({ kind: 'broken', error: new Error('connection refused') });
});
