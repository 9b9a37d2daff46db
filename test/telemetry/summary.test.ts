import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Summary } from '../../src/telemetry/summary.js';

const SECOND_US = 1e6;
const QUANTILES = [0, 0.5, 0.9, 0.99, 1];

test('quantiles are within 0.4 % of those of the sorted values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.02, max: 1e10, noNaN: true }), { minLength: 1, maxLength: 400 }),
      (values) => {
        const summary = new Summary(QUANTILES, 0);
        for (const value of values) summary.observe(value, 0);
        const sorted = values.toSorted((a, b) => a - b);
        for (const [index, found] of summary.values(0).entries()) {
          const exact = sorted[Math.max(0, Math.ceil(QUANTILES[index]! * sorted.length) - 1)]!;
          expect(Math.abs(found - exact) / exact).toBeLessThan(0.004);
        }
      },
    ),
  );
});

test('what is too small or too large to tell apart counts at the end next to it', () => {
  const summary = new Summary([0.25, 1], 0);
  for (const value of [-1, 0, 1e-9, 1e300]) summary.observe(value, 0);
  const [smallest, largest] = summary.values(0);
  expect(smallest).toBeLessThan(0.02);
  expect(largest).toBeGreaterThan(1e10);
  expect(largest).toBeLessThan(2e10);
  expect(summary.count).toBe(4);
});

test('a value is forgotten after a minute, and not before 48 seconds', () => {
  const summary = new Summary([1], 0);
  summary.observe(100, 11 * SECOND_US);
  expect(summary.values(59 * SECOND_US)[0]).toBeCloseTo(100, -1);
  expect(summary.values(60 * SECOND_US)[0]).toBeNaN();
});

test('the largest of the last minute follows the values as they age, in any rhythm', () => {
  const moments = fc.array(fc.record({ waitS: fc.nat({ max: 40 }), us: fc.integer({ min: 1, max: 1e6 }) }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(moments, (steps) => {
      const summary = new Summary([1], 0);
      const seen: { age: number; us: number }[] = [];
      let nowS = 0;
      for (const { waitS, us } of steps) {
        nowS += waitS;
        summary.observe(us, nowS * SECOND_US);
        seen.push({ age: Math.floor(nowS / 12), us });
        const young = seen.filter(({ age }) => age > Math.floor(nowS / 12) - 5).map((value) => value.us);
        const largest = Math.max(...young);
        expect(Math.abs(summary.values(nowS * SECOND_US)[0]! - largest) / largest).toBeLessThan(0.004);
      }
    }),
  );
});

test('sum and count are those of all time', () => {
  const summary = new Summary([0.5], 0);
  summary.observe(1.5, 0);
  summary.observe(2.5, 1000 * SECOND_US);
  expect([summary.sum, summary.count]).toEqual([4, 2]);
});
