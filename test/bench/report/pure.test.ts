import fc from 'fast-check';
import { build } from 'hdr-histogram-js';
import { expect, test } from 'vitest';
import type { LoadResult } from '../../../bench/load/report.js';
import { type KneePoint, knee } from '../../../bench/report/knee.js';
import { pageLatency } from '../../../bench/report/latency.js';
import { loadAxis, placeOf } from '../../../bench/report/load-axis.js';
import { BINS_PER_DECADE, CURVE_STEPS } from '../../../bench/report/page/bench-data.js';
import {
  durationText,
  durationTick,
  numberText,
  percentText,
  quantileText,
  shortText,
} from '../../../bench/report/page/format.js';
import { linearRange, logRange, logTicks, thinned } from '../../../bench/report/page/ticks.js';
import { timeParts } from '../../../bench/report/parts.js';
import { distribution, failedResult, sampleReport } from './sample.js';

const points = (...pairs: readonly (readonly [number, number])[]): KneePoint[] =>
  pairs.map(([throughput, latencyUs]) => ({ throughput, latencyUs }));

test('the knee is where throughput stops to grow and latency begins to', () => {
  expect(knee(points([100, 10], [200, 10], [400, 11], [780, 12], [800, 24], [805, 48]))).toBe(3);
});

test('throughput that falls behind the knee does not move it', () => {
  expect(knee(points([100, 10], [200, 10], [400, 11], [780, 12], [800, 24], [700, 60]))).toBe(3);
});

test('there is no knee in fewer than three loads, in a straight line, nor where latency stays', () => {
  expect(knee([])).toBeNull();
  expect(knee(points([1, 1], [2, 9]))).toBeNull();
  expect(knee(points([1, 10], [2, 20], [3, 30], [4, 40]))).toBeNull();
  expect(knee(points([100, 10], [200, 10.1], [300, 10], [310, 10.4]))).toBeNull();
  expect(knee(points([5, 10], [5, 10], [5, 10]))).toBeNull();
});

test('the knee does not depend on the units', () => {
  const point = fc.record({
    throughput: fc.integer({ min: 1, max: 10_000 }),
    latencyUs: fc.integer({ min: 1, max: 10_000 }),
  });
  fc.assert(
    fc.property(fc.array(point, { maxLength: 12 }), (loads) => {
      const doubled = loads.map(({ throughput, latencyUs }) => ({
        throughput: throughput * 4,
        latencyUs: latencyUs * 2,
      }));
      expect(knee(doubled)).toBe(knee(loads));
    }),
  );
});

test('bins hold the shares that counting one by one gives', () => {
  // Up to 2047 the histogram keeps every value as it is.
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2047 }), { minLength: 1, maxLength: 300 }), (values) => {
      const histogram = build({
        lowestDiscernibleValue: 1,
        highestTrackableValue: 1e7,
        numberOfSignificantValueDigits: 3,
      });
      for (const value of values) histogram.recordValue(value);
      const { bins, curve } = pageLatency(distribution(histogram))!;
      const binOf = (value: number) => Math.floor(Math.log10(value) * BINS_PER_DECADE);
      const counted = bins!.shares.map((_, bin) => values.filter((value) => binOf(value) === bins!.first + bin).length);
      expect(bins!.shares.map((share) => Math.round(share * values.length))).toEqual(counted);
      expect(counted.reduce((a, b) => a + b)).toBe(values.length);
      const sorted = values.toSorted((a, b) => a - b);
      expect(curve[0]).toBe(sorted[0]);
      for (const [step, value] of curve.entries()) {
        const below = values.filter((other) => other <= value).length / values.length;
        expect(below).toBeGreaterThanOrEqual(1 - 10 ** (-step / CURVE_STEPS) - 1e-9);
      }
    }),
  );
});

test('a distribution of nothing is no latency; without its histogram the numbers stay', () => {
  const { latency } = sampleReport().results[0]!;
  expect(pageLatency(failedResult(1).latency)).toBeNull();
  expect(pageLatency({ ...latency, histogram: '' })).toMatchObject({ mean: latency.mean, bins: null, curve: [] });
  expect(() => pageLatency({ ...latency, histogram: 'AAAA' })).toThrow(
    /^a histogram cannot be decoded \(.+\); HdrHistogram V2/,
  );
});

const open = (name: string, ratePerSecond: number): LoadResult => ({
  ...failedResult(1),
  name,
  load: { kind: 'open', arrivals: { kind: 'poisson', ratePerSecond, seed: 1 }, maxInFlight: 100 },
});

test('loads lie by their number: logarithmic where that spreads them better', () => {
  const doubling = loadAxis(sampleReport().results);
  expect(doubling).toMatchObject({ title: 'Concurrency (requests in flight)', kind: 'log' });
  expect(doubling.places.map(({ x }) => x)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
  const even = [300, 100, 200, 400].map((rate) => open(`${rate}/s`, rate));
  expect(loadAxis(even)).toEqual({
    title: 'Asked-for rate (requests/s)',
    kind: 'linear',
    places: [100, 200, 300, 400].map((x) => ({ x, name: `${x}/s` })),
  });
});

test('loads without a common number lie side by side by name', () => {
  const mixed = [open('100/s', 100), failedResult(4), open('100/s', 100)];
  const axis = loadAxis(mixed);
  expect(axis.kind).toBe('names');
  expect(axis.places).toEqual([
    { x: 0, name: '100/s' },
    { x: 1, name: '4' },
  ]);
  expect(mixed.map((result) => placeOf(axis, result))).toEqual([0, 1, 0]);
  expect(loadAxis([])).toEqual({ title: 'Load', kind: 'names', places: [] });
});

test('the parts of the time sum up to the mean latency', () => {
  for (const result of sampleReport().results) {
    const parts = timeParts(result);
    expect(parts.map(({ part }) => part)).toEqual([
      'send',
      'network',
      'queue',
      'input',
      'infer',
      'output',
      'other',
      'receive',
    ]);
    expect(parts.every(({ us }) => us >= 0)).toBe(true);
    expect(parts.reduce((sum, { us }) => sum + us, 0)).toBeCloseTo(result.latency.mean, 6);
  }
});

test('without statistics the time of the server is in that of the network', () => {
  const result = { ...sampleReport().results[3]!, models: [] };
  const rest = result.latency.mean - result.client.sendUs - result.client.receiveUs;
  expect(timeParts(result)[1]).toEqual({ part: 'network', us: rest });
  expect(timeParts(result)).toHaveLength(3);
  expect(timeParts(failedResult(1))).toEqual([]);
});

test('ticks of logarithmic axes are within and not too many', () => {
  expect(logTicks(1, 100, 10)).toEqual([1, 2, 5, 10, 20, 50, 100]);
  expect(logTicks(1, 100_000, 6)).toEqual([1, 10, 100, 1000, 10_000, 100_000]);
  expect(logTicks(1, 1e8, 5)).toEqual([1, 100, 10_000, 1e6, 1e8]);
  expect(logTicks(20, 50, 8)).toEqual([20, 50]);
});

test('ranges go around the values', () => {
  expect(logRange([3, 700])).toEqual([2, 1000]);
  expect(logRange([5])).toEqual([5, 10]);
  expect(logRange([0, 0])).toEqual([1, 10]);
  expect(linearRange([])).toEqual([0, 1]);
  expect(linearRange([50, 100])).toEqual([0, 108]);
  const value = fc.double({ min: 1e-3, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), (values) => {
      const [low, high] = logRange(values);
      expect(low).toBeLessThanOrEqual(Math.min(...values) * (1 + 1e-9));
      expect(high).toBeGreaterThanOrEqual(Math.max(...values) * (1 - 1e-9));
      expect(high).toBeGreaterThan(low);
    }),
  );
});

test('texts that have no room are left out, the last one never', () => {
  expect(thinned([0, 10, 20, 30, 40], 15)).toEqual([true, false, true, false, true]);
  expect(thinned([0, 10, 11], 5)).toEqual([true, false, true]);
  expect(thinned([], 5)).toEqual([]);
});

test('numbers are short and have units', () => {
  expect([0, 0.01234, 1.234, 12.34, 123.4, 123_456].map(numberText)).toEqual([
    '0',
    '0.0123',
    '1.23',
    '12.3',
    '123',
    '123,456',
  ]);
  expect([0, 1500, 25_000, 2e6].map(shortText)).toEqual(['0', '1,500', '25,000', '2M']);
  expect([12.34, 999, 1500, 2_500_000].map(durationText)).toEqual(['12.3 µs', '999 µs', '1.5 ms', '2.5 s']);
  expect([0, 500, 2000, 1e6].map(durationTick)).toEqual(['0', '500 µs', '2 ms', '1 s']);
  expect([0, 0.0001, 0.5, 1].map(percentText)).toEqual(['0%', '<0.1%', '50%', '100%']);
  expect([1, 10, 100, 1000, 10_000].map(quantileText)).toEqual(['0%', '90%', '99%', '99.9%', '99.99%']);
});
