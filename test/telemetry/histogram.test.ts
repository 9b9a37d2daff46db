import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Buckets, Histogram, LATENCY_BUCKETS_US, ROW_BUCKETS } from '../../src/telemetry/histogram.js';

const boundsOf = (value: fc.Arbitrary<number>) =>
  fc.uniqueArray(value, { minLength: 1, maxLength: 300 }).map((bounds) => bounds.sort((a, b) => a - b));
const finite = fc.double({ noDefaultInfinity: true, noNaN: true });
const close = fc.double({ min: 1, max: 1.001, noNaN: true });

/** The dumb twin: the first bucket whose bound is not below the value. */
function bucketOf(bounds: readonly number[], value: number): number {
  const index = bounds.findIndex((bound) => value <= bound);
  return index < 0 ? bounds.length : index;
}

test('a value is found in the first bucket whose bound is not below it, whatever the bounds', () => {
  fc.assert(
    fc.property(
      fc.oneof(boundsOf(finite), boundsOf(close)),
      fc.array(fc.oneof(finite, close, fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY))),
      (bounds, values) => {
        const buckets = new Buckets(bounds);
        for (const value of [...values, ...bounds]) expect(buckets.indexOf(value)).toBe(bucketOf(bounds, value));
      },
    ),
  );
});

test.each([
  ['latencies', LATENCY_BUCKETS_US],
  ['rows', ROW_BUCKETS],
])('the buckets of %s begin just above the bound below', (_, buckets) => {
  for (const [index, bound] of buckets.bounds.entries()) {
    expect(buckets.indexOf(bound * (1 - 1e-15))).toBe(index);
    expect(buckets.indexOf(bound)).toBe(index);
    expect(buckets.indexOf(bound * (1 + 1e-15))).toBe(index + 1);
  }
});

test('latency bounds go from 50 µs to 30 s and rise by a factor of two to three', () => {
  const { bounds } = LATENCY_BUCKETS_US;
  expect([bounds[0], bounds.at(-1)]).toEqual([50, 30e6]);
  for (let index = 1; index < bounds.length; index++) {
    expect(bounds[index]! / bounds[index - 1]!).toBeGreaterThanOrEqual(2);
    expect(bounds[index]! / bounds[index - 1]!).toBeLessThanOrEqual(3);
  }
});

test('counts and the sum are those of all that was observed', () => {
  const bounds = [1, 2.5, 10];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 })), (thousandths) => {
      const histogram = new Histogram(new Buckets(bounds));
      const counts = new Array(bounds.length + 1).fill(0);
      for (const value of thousandths.map((n) => n / 1000)) {
        histogram.observe(value);
        counts[bucketOf(bounds, value)]++;
      }
      expect(counts.map((_, bucket) => histogram.countOf(bucket))).toEqual(counts);
      expect(histogram.count).toBe(thousandths.length);
      expect(histogram.sum).toBeCloseTo(thousandths.reduce((sum, n) => sum + n, 0) / 1000, 6);
    }),
  );
});

test('two histograms in one array do not touch each other', () => {
  const buckets = new Buckets([1, 2]);
  const size = Histogram.places(buckets);
  const memory = new Float64Array(2 * size);
  const [first, second] = [0, 1].map((n) => new Histogram(buckets, 1, memory.subarray(n * size, (n + 1) * size)));
  first!.observe(99);
  second!.observe(0.5);
  expect([first!.count, first!.sum, first!.countOf(2)]).toEqual([1, 99, 1]);
  expect([second!.count, second!.sum, second!.countOf(0)]).toEqual([1, 0.5, 1]);
});
