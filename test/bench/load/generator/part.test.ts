import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partOf, partOfLimit } from '../../../../bench/load/generator/part.js';
import type { Load } from '../../../../bench/load/load.js';

const number = fc.integer({ min: 1, max: 1000 });
const open: Load = { kind: 'open', arrivals: { kind: 'constant', ratePerSecond: 1 }, maxInFlight: 1000 };

function parts(of: number, part: (nth: number) => number): number[] {
  return Array.from({ length: of }, (_, nth) => part(nth));
}

test('the parts of a limit are all of it, whatever the load and the threads', () => {
  fc.assert(
    fc.property(number, number, fc.integer({ min: 1, max: 16 }), (limit, concurrency, of) => {
      for (const load of [open, { kind: 'closed', concurrency } as const]) {
        const shares = parts(of, (nth) => partOfLimit(limit, load, { nth, of }));
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(limit);
      }
    }),
  );
});

test('of a closed load, a thread sends in proportion to what it keeps in flight, and nothing without', () => {
  const of = 4;
  const load: Load = { kind: 'closed', concurrency: 3 };
  expect(parts(of, (nth) => partOf(3, { nth, of }))).toEqual([1, 1, 1, 0]);
  expect(parts(of, (nth) => partOfLimit(100, load, { nth, of }))).toEqual([33, 33, 34, 0]);
  expect(parts(2, (nth) => partOfLimit(90, load, { nth, of: 2 }))).toEqual([60, 30]);
  expect(parts(of, (nth) => partOfLimit(10, open, { nth, of }))).toEqual([3, 3, 2, 2]);
});
