import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyDetail } from '../../src/telemetry/latency-detail.js';
import { FAILURE_REASONS, ModelStatistics, statisticsJson } from '../../src/telemetry/statistics.js';

const ZERO = { count: 0, ns: 0 };

test('a model nobody asked has every member, in the order clients know, and zeros', () => {
  const entry = { name: 'simple', version: '1', statistics: new ModelStatistics() };
  const zero = '{"count":0,"ns":0}';
  expect(statisticsJson([entry])).toBe(
    `{"model_stats":[{"name":"simple","version":"1","last_inference":0,"inference_count":0,"execution_count":0,` +
      `"inference_stats":{"success":${zero},"fail":${zero},"queue":${zero},"compute_input":${zero},"compute_infer":${zero},` +
      `"compute_output":${zero},"cache_hit":${zero},"cache_miss":${zero}},` +
      `"response_stats":{},"batch_stats":[],"memory_usage":[]}]}`,
  );
});

test('the last warm-up of each instance is shown', () => {
  const statistics = new ModelStatistics();
  const warmedUp = (instance: string, us: number) =>
    statistics.warmedUp(instance, [{ instance, sample: 'a b', executions: 2, us }]);
  warmedUp('m_0', 1.5);
  warmedUp('m_1', 3);
  warmedUp('m_0', 9);
  const { model_stats } = JSON.parse(statisticsJson([{ name: 'm', version: '1', statistics }]));
  expect(model_stats[0].warmup_stats).toEqual([
    { instance: 'm_0', sample: 'a b', count: 2, ns: 9000 },
    { instance: 'm_1', sample: 'a b', count: 2, ns: 3000 },
  ]);
});

test('no version is an empty list', () => {
  expect(statisticsJson([])).toBe('{"model_stats":[]}');
});

test('two requests in one batch each add the times of the whole batch', () => {
  const statistics = new ModelStatistics();
  statistics.batchExecuted(5, 10, 100.5, 20, 1_700_000_000_123);
  statistics.requestSucceeded(2, 200, 50, 10, 100.5, 20);
  statistics.requestSucceeded(3, 300, 150, 10, 100.5, 20);
  expect(statistics.snapshot()).toEqual({
    last_inference: 1_700_000_000_123,
    inference_count: 5,
    execution_count: 1,
    inference_stats: {
      success: { count: 2, ns: 500_000 },
      fail: ZERO,
      queue: { count: 2, ns: 200_000 },
      compute_input: { count: 2, ns: 20_000 },
      compute_infer: { count: 2, ns: 201_000 },
      compute_output: { count: 2, ns: 40_000 },
      cache_hit: ZERO,
      cache_miss: ZERO,
    },
    response_stats: {},
    batch_stats: [
      {
        batch_size: 5,
        compute_input: { count: 1, ns: 10_000 },
        compute_infer: { count: 1, ns: 100_500 },
        compute_output: { count: 1, ns: 20_000 },
      },
    ],
    memory_usage: [],
  });
});

test('a failed request counts in fail and its reason, and nowhere else', () => {
  const statistics = new ModelStatistics();
  statistics.requestFailed('BACKEND', 75);
  const untouched = new ModelStatistics().snapshot();
  expect(statistics.snapshot()).toEqual({
    ...untouched,
    inference_stats: { ...untouched.inference_stats, fail: { count: 1, ns: 75_000 } },
  });
  expect(FAILURE_REASONS.map((reason) => statistics.failures(reason))).toEqual([0, 0, 1, 0]);
  expect([statistics.successes, statistics.requestSeconds.count]).toEqual([0, 0]);
});

test('metrics add up whole microseconds of each request, statistics the fractions too', () => {
  const statistics = new ModelStatistics();
  for (let n = 0; n < 3; n++) statistics.requestSucceeded(1, 10.9, 5.9, 0.9, 2.9, 1.2);
  expect(statistics.durationsUs).toEqual({ request: 30, queue: 15, input: 0, infer: 6, output: 3 });
  expect(statistics.snapshot().inference_stats.success).toEqual({ count: 3, ns: 32_700 });
});

test('pending requests come and go', () => {
  const statistics = new ModelStatistics();
  for (const delta of [1, 1, -1, 3, -4]) statistics.pending(delta);
  expect(statistics.pendingRequests).toBe(0);
  statistics.pending(2);
  expect(statistics.pendingRequests).toBe(2);
});

const us = fc.integer({ min: 0, max: 40e6 }).map((eighths) => eighths / 8);
const rows = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1000, max: 1100 }), fc.constant(2 ** 31 - 1));
const event = fc.oneof(
  fc.record({ kind: fc.constant('success' as const), rows, times: fc.tuple(us, us, us, us, us) }),
  fc.record({ kind: fc.constant('failure' as const), reason: fc.constantFrom(...FAILURE_REASONS), us }),
  fc.record({ kind: fc.constant('batch' as const), rows, times: fc.tuple(us, us, us), isContiguous: fc.boolean() }),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
type Of<K extends Event['kind']> = Extract<Event, { kind: K }>;

function tell(statistics: ModelStatistics, given: Event, wallMs: number): void {
  if (given.kind === 'success') statistics.requestSucceeded(given.rows, ...given.times);
  else if (given.kind === 'failure') statistics.requestFailed(given.reason, given.us);
  else {
    statistics.batchExecuted(given.rows, ...given.times, wallMs);
    statistics.batchPlaced(given.isContiguous);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Eighths of a microsecond are 125 ns: sums are exact. */
function total(values: readonly number[]) {
  return { count: values.length, ns: sum(values) * 1000 };
}

/** The dumb twin: everything is kept and added up at the end. */
function expectedSnapshot(events: readonly Event[]) {
  const successes = events.filter((each): each is Of<'success'> => each.kind === 'success');
  const failures = events.filter((each): each is Of<'failure'> => each.kind === 'failure');
  const batches = events.filter((each): each is Of<'batch'> => each.kind === 'batch');
  const column = (index: number) => total(successes.map(({ times }) => times[index]!));
  const sizes = [...new Set(batches.map((batch) => batch.rows))].sort((a, b) => a - b);
  return {
    last_inference: events.findLastIndex((each) => each.kind === 'batch') + 1,
    inference_count: sum(successes.map((each) => each.rows)),
    execution_count: batches.length,
    inference_stats: {
      success: column(0),
      fail: total(failures.map((each) => each.us)),
      queue: column(1),
      compute_input: column(2),
      compute_infer: column(3),
      compute_output: column(4),
      cache_hit: ZERO,
      cache_miss: ZERO,
    },
    response_stats: {},
    batch_stats: sizes.map((batch_size) => {
      const ofSize = batches.filter((batch) => batch.rows === batch_size);
      const times = (index: number) => total(ofSize.map((batch) => batch.times[index]!));
      return { batch_size, compute_input: times(0), compute_infer: times(1), compute_output: times(2) };
    }),
    memory_usage: [],
  };
}

test('any history adds up, and no batch size is lost or out of order', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const statistics = new ModelStatistics();
      events.forEach((each, index) => {
        tell(statistics, each, index + 1);
      });
      const snapshot = statistics.snapshot();
      expect(snapshot).toEqual(expectedSnapshot(events));
      const contiguous = events.filter((each) => each.kind === 'batch' && each.isContiguous).length;
      expect([statistics.contiguousBatches, statistics.gatheredBatches]).toEqual([
        contiguous,
        snapshot.execution_count - contiguous,
      ]);
      expect(sum(FAILURE_REASONS.map((reason) => statistics.failures(reason)))).toBe(
        snapshot.inference_stats.fail.count,
      );
      expect(statistics.requestSeconds.count).toBe(snapshot.inference_stats.success.count);
      expect(statistics.computeSeconds.count).toBe(snapshot.execution_count);
    }),
  );
});

test('every number of the body is an integer without an exponent, also after years', () => {
  const statistics = new ModelStatistics();
  const yearUs = 365 * 86_400 * 1e6;
  for (let n = 0; n < 100; n++) {
    statistics.requestSucceeded(2 ** 31 - 1, yearUs + 0.3, 0.1, 0.2, yearUs, 0.7);
    statistics.batchExecuted(2 ** 31 - 1, 0.1, yearUs, 0.2, 4_102_444_800_000);
  }
  const text = statisticsJson([{ name: 'm', version: '1', statistics }]);
  const numbers = [...text.matchAll(/:(-?[0-9][^,}\]]*)/g)].map((match) => match[1]!);
  expect(numbers.length).toBeGreaterThan(20);
  for (const number of numbers) expect(number).toMatch(/^[0-9]+$/);
});

test('what --metrics-config adds is kept only where it is asked for', () => {
  expect(new ModelStatistics().detail).toBeNull();
  const detail = new LatencyDetail({ firstResponseBoundsMs: [1, 10], quantiles: [0.5] }, () => 0);
  const statistics = new ModelStatistics(detail);
  statistics.requestSucceeded(1, 5000, 400, 30, 2, 1);
  statistics.requestFailed('OTHER', 9);
  expect(detail.firstResponseMs!.count).toBe(1);
  const { request, queue, input, infer, output } = detail.summaries!;
  expect([request, queue, input, infer, output].map((summary) => summary.sum)).toEqual([5000, 400, 30, 2, 1]);
});
