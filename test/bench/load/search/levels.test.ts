import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Range } from '../../../../bench/load/options.js';
import { countLevels, type MeasuredLevel, nextBinary, nextLinear } from '../../../../bench/load/search/levels.js';

type Next = typeof nextLinear;

/** All levels that are measured where `isGood` decides. */
function follow(next: Next, range: Range, isGood: (level: number) => boolean): number[] {
  const measured: MeasuredLevel[] = [];
  for (let level = next(range, measured); level !== null; level = next(range, measured)) {
    expect(measured.length).toBeLessThan(1000);
    measured.push({ level, isWithinLimit: isGood(level) });
  }
  return measured.map(({ level }) => level);
}

const always = () => true;

test('linear: from the start to the end in steps', () => {
  expect(follow(nextLinear, { start: 1, end: 16, step: 5 }, always)).toEqual([1, 6, 11, 16]);
  expect(follow(nextLinear, { start: 1, end: 15, step: 5 }, always)).toEqual([1, 6, 11]);
  expect(follow(nextLinear, { start: 4, end: 1, step: 1 }, always)).toEqual([4]);
  expect(follow(nextLinear, { start: 0.1, end: 0.3, step: 0.1 }, always)).toEqual([0.1, 0.2, 0.3]);
});

test('linear: the first level over the limit is the last that is measured', () => {
  expect(follow(nextLinear, { start: 1, end: 8, step: 1 }, (level) => level < 3)).toEqual([1, 2, 3]);
  expect(follow(nextLinear, { start: 2, end: 0, step: 2 }, (level) => level < 9)).toEqual([2, 4, 6, 8, 10]);
});

test('binary: the ends first, then the middle of what is left', () => {
  expect(follow(nextBinary, { start: 1, end: 17, step: 1 }, (level) => level <= 6)).toEqual([1, 17, 9, 5, 7, 6]);
  expect(follow(nextBinary, { start: 1, end: 17, step: 4 }, (level) => level <= 6)).toEqual([1, 17, 9, 5]);
});

test('binary: ends at once where the start is over the limit, or the end within it', () => {
  expect(follow(nextBinary, { start: 1, end: 17, step: 1 }, () => false)).toEqual([1]);
  expect(follow(nextBinary, { start: 1, end: 17, step: 1 }, always)).toEqual([1, 17]);
  expect(follow(nextBinary, { start: 3, end: 3, step: 1 }, always)).toEqual([3]);
});

const ranges = fc
  .record({
    start: fc.integer({ min: 1, max: 50 }),
    length: fc.integer({ min: 0, max: 400 }),
    step: fc.integer({ min: 1, max: 40 }),
  })
  .map(({ start, length, step }) => ({ start, end: start + length, step }));
const fractions = ranges.map(({ start, end, step }) => ({ start: start / 8, end: end / 8, step: step / 8 }));

test('binary: finds what a search of all levels finds, where latency only grows, in few measurements', () => {
  fc.assert(
    fc.property(fc.oneof(ranges, fractions), fc.integer({ min: 0, max: 460 }), (range, limit) => {
      const isGood = (level: number) => level <= limit;
      const all = Array.from({ length: 500 }, (_, i) => range.start + i * range.step).filter(
        (level) => level < range.end,
      );
      const highest = [...all, range.end].filter(isGood).at(-1);
      const measured = follow(nextBinary, range, isGood);
      expect(Math.max(...measured.filter(isGood))).toBe(highest ?? Number.NEGATIVE_INFINITY);
      expect(new Set(measured).size).toBe(measured.length);
      expect(measured.length).toBeLessThanOrEqual(3 + Math.ceil(Math.log2(all.length + 1)));
    }),
  );
});

test('linear: as many levels as were foretold', () => {
  fc.assert(
    fc.property(fc.oneof(ranges, fractions), (range) => {
      expect(follow(nextLinear, range, always).length).toBe(countLevels(range, 'linear'));
    }),
  );
  expect(countLevels({ start: 1, end: 0, step: 1 }, 'linear')).toBeNull();
  expect(countLevels({ start: 1, end: 9, step: 1 }, 'binary')).toBeNull();
});
