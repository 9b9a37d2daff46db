import { describe, expect, test } from 'vitest';
import { WakePace } from '../../src/backends/wake-pace.js';

/** Adds these rows in a turn of the event loop of their own, and returns after which of them the worker is woken at once. */
function turn(pace: WakePace, ...rows: number[]): number[] {
  const woken = rows.flatMap((count, index) => (pace.add(count) ? [index] : []));
  pace.endTurn(rows.reduce((sum, count) => sum + count, 0));
  return woken;
}

const ones = (count: number) => Array.from({ length: count }, () => 1);

describe('a sleeping worker is woken before the end of the turn', () => {
  test('once, when a few rows are there', () => {
    const pace = new WakePace();
    expect(turn(pace, ...ones(16))).toEqual([3]);
    expect(turn(pace, ...ones(16))).toEqual([3]);
  });

  test('whether they come one by one or in one request', () => {
    expect(turn(new WakePace(), 1, 8, 1)).toEqual([1]);
    expect(turn(new WakePace(), 8, 8)).toEqual([0]);
  });

  test('but not for fewer', () => {
    expect(turn(new WakePace(), ...ones(3))).toEqual([]);
  });

  test('and not after a busy turn, until one was calm again', () => {
    const pace = new WakePace();
    turn(pace, ...ones(25));
    expect(turn(pace, ...ones(24))).toEqual([]);
    expect(turn(pace, ...ones(24))).toEqual([3]);
  });

  test('nor after one that was busy with other models', () => {
    const pace = new WakePace();
    pace.endTurn(25);
    expect(turn(pace, ...ones(8))).toEqual([]);
  });
});

describe('batches that have ended are looked for', () => {
  /** After how many rows, one by one, each time. */
  function looks(pace: WakePace, rows: number): number[] {
    const seen: number[] = [];
    for (let row = 1; row <= rows; row++) {
      pace.add(1);
      if (!pace.mayLook) continue;
      seen.push(row);
      pace.looked();
    }
    pace.endTurn(rows);
    return seen;
  }

  test('four times in a turn like the one before', () => {
    const pace = new WakePace();
    looks(pace, 64);
    expect(looks(pace, 64)).toEqual([16, 32, 48, 64]);
    expect(looks(pace, 8)).toEqual([]);
  });

  test('but not for a few rows', () => {
    const pace = new WakePace();
    expect(looks(pace, 9)).toEqual([4, 8]);
    expect(looks(pace, 3)).toEqual([]);
    expect(looks(pace, 4)).toEqual([4]);
  });
});
