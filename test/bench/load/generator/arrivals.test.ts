import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ArrivalTimes, arrivalTimes, shareOf } from '../../../../bench/load/generator/arrivals.js';
import type { Arrivals, Phase } from '../../../../bench/load/load.js';

function first(count: number, times: ArrivalTimes): number[] {
  return Array.from({ length: count }, () => times());
}

function all(times: ArrivalTimes): number[] {
  const found: number[] = [];
  for (let at = times(); at !== Number.POSITIVE_INFINITY; at = times()) found.push(at);
  return found;
}

function profile(phases: readonly Phase[], distribution: 'constant' | 'poisson' = 'constant'): Arrivals {
  return { kind: 'profile', phases, distribution, seed: 1 };
}

test('a constant rate has even gaps', () => {
  expect(first(4, arrivalTimes({ kind: 'constant', ratePerSecond: 200 }))).toEqual([5, 10, 15, 20]);
});

test('a constant rate does not drift', () => {
  const times = first(300_000, arrivalTimes({ kind: 'constant', ratePerSecond: 3000 }));
  expect(times.at(-1)).toBeCloseTo(100_000, 3);
});

test('gaps of a file are repeated', () => {
  expect(first(5, arrivalTimes({ kind: 'intervals', gapsUs: [1000, 3000] }))).toEqual([1, 4, 5, 8, 9]);
});

test('Poisson arrivals have the mean and the deviation of an exponential distribution', () => {
  const times = first(100_000, arrivalTimes({ kind: 'poisson', ratePerSecond: 1000, seed: 7 }));
  const gaps = times.map((at, index) => at - (times[index - 1] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  expect(mean).toBeGreaterThan(0.98);
  expect(mean).toBeLessThan(1.02);
  expect(deviation / mean).toBeGreaterThan(0.97);
  expect(deviation / mean).toBeLessThan(1.03);
});

test('a ramp from 0 to 10 in 4 s is 20 requests, the nth after sqrt(4 n / 5) seconds', () => {
  const times = all(arrivalTimes(profile([{ seconds: 4, fromPerSecond: 0, toPerSecond: 10 }])));
  expect(times).toHaveLength(20);
  times.forEach((at, index) => {
    expect(at).toBeCloseTo(1000 * Math.sqrt((4 * (index + 1)) / 5), 6);
  });
});

test('what one phase leaves over counts in the next', () => {
  const half: Phase = { seconds: 0.5, fromPerSecond: 1, toPerSecond: 1 };
  expect(all(arrivalTimes(profile([half, half, half, half])))).toEqual([1000, 2000]);
});

test('a phase without requests is a pause', () => {
  const times = all(
    arrivalTimes(
      profile([
        { seconds: 1, fromPerSecond: 2, toPerSecond: 2 },
        { seconds: 3, fromPerSecond: 0, toPerSecond: 0 },
        { seconds: 1, fromPerSecond: 2, toPerSecond: 2 },
      ]),
    ),
  );
  expect(times).toEqual([500, 1000, 4500, 5000]);
});

const phases = fc.array(
  fc.record({
    seconds: fc.double({ min: 0.01, max: 5, noNaN: true }),
    fromPerSecond: fc.double({ min: 0, max: 100, noNaN: true }),
    toPerSecond: fc.double({ min: 0, max: 100, noNaN: true }),
  }),
  { minLength: 1, maxLength: 6 },
);

test('any profile has as many requests as the area under it, in order and within its time', () => {
  fc.assert(
    fc.property(phases, (parts) => {
      const times = all(arrivalTimes(profile(parts)));
      const area = parts.reduce(
        (sum, { seconds, fromPerSecond: a, toPerSecond: b }) => sum + (seconds * (a + b)) / 2,
        0,
      );
      const endMs = 1000 * parts.reduce((sum, { seconds }) => sum + seconds, 0);
      expect(Math.abs(times.length - area)).toBeLessThanOrEqual(1 + 1e-6);
      for (let index = 1; index < times.length; index++) expect(times[index]).toBeGreaterThanOrEqual(times[index - 1]!);
      if (times.length > 0) expect(times.at(-1)).toBeLessThanOrEqual(endMs + 1e-6);
    }),
  );
});

test('the parts of threads are together the whole, each time once', () => {
  fc.assert(
    fc.property(phases, fc.integer({ min: 1, max: 5 }), (parts, of) => {
      const arrivals = profile(parts, 'poisson');
      const shared = Array.from({ length: of }, (_, nth) => all(shareOf(arrivalTimes(arrivals), nth, of))).flat();
      expect(shared.sort((a, b) => a - b)).toEqual(all(arrivalTimes(arrivals)));
    }),
  );
});
