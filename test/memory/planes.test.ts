import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena } from '../../src/memory/arena.js';
import { NO_ROWS, RowPlanes } from '../../src/memory/planes.js';

const ROWS = 8;

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('take' as const), n: fc.integer({ min: 1, max: ROWS }) }),
    fc.record({ kind: fc.constant('give' as const), n: fc.nat() }),
    fc.record({ kind: fc.constant('cut' as const), n: fc.nat() }),
  ),
  { maxLength: 300 },
);

test('rows are never handed out twice, lie in one block, and all come back', () => {
  fc.assert(
    fc.property(steps, (operations) => {
      const arena = new Arena(1 << 16);
      const planes = new RowPlanes(arena, [4, 12], ROWS);
      const out: { row: number; rows: number }[] = [];
      const busy = new Set<number>();
      for (const { kind, n } of operations) {
        if (kind === 'cut') planes.cut();
        else if (kind === 'take') takeRows(planes, n, out, busy);
        else if (out.length > 0) giveRows(planes, out.splice(n % out.length, 1)[0]!, busy);
        expect(planes.live).toBe(out.reduce((sum, range) => sum + range.rows, 0));
      }
      for (const range of out) giveRows(planes, range, busy);
      planes.close();
      expect(arena.used).toBe(0);
    }),
  );
});

function takeRows(planes: RowPlanes, rows: number, out: { row: number; rows: number }[], busy: Set<number>): void {
  const row = planes.take(rows);
  if (row === NO_ROWS) return;
  expect((row % ROWS) + rows).toBeLessThanOrEqual(ROWS);
  for (let i = 0; i < rows; i++) {
    const begin = planes.rowOffset(1, row + i);
    expect(busy.has(begin)).toBe(false);
    busy.add(begin);
  }
  out.push({ row, rows });
}

function giveRows(planes: RowPlanes, range: { row: number; rows: number }, busy: Set<number>): void {
  for (let i = 0; i < range.rows; i++) busy.delete(planes.rowOffset(1, range.row + i));
  planes.give(range.row, range.rows);
}

test('requests that follow one another are neighbours in each plane', () => {
  const planes = new RowPlanes(new Arena(1 << 16), [64, 4], ROWS);
  const first = planes.take(2);
  const second = planes.take(3);
  expect(second).toBe(first + 2);
  expect(planes.rowOffset(0, second)).toBe(planes.rowOffset(0, first) + 2 * 64);
  expect(planes.rowOffset(1, second)).toBe(planes.rowOffset(1, first) + 2 * 4);
});

test('after a cut the next request begins a block', () => {
  const planes = new RowPlanes(new Arena(1 << 16), [64], ROWS);
  planes.take(3);
  planes.cut();
  expect(planes.take(1) % ROWS).toBe(0);
});

test('a full arena refuses rows and loses none', () => {
  const arena = new Arena(4096);
  const planes = new RowPlanes(arena, [64], ROWS);
  const taken: number[] = [];
  for (let row = planes.take(ROWS); row !== NO_ROWS; row = planes.take(ROWS)) taken.push(row);
  expect(taken.length).toBe(6);
  for (const row of taken) planes.give(row, ROWS);
  expect(planes.take(ROWS)).not.toBe(NO_ROWS);
});
