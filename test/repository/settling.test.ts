import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SETTLE_MS, Settling } from '../../src/repository/settling.js';

test('what is older than the bound has settled at once', () => {
  expect(new Settling().waitMs('a', 'x', SETTLE_MS, 0)).toBe(0);
  expect(new Settling().waitMs('a', 'x', SETTLE_MS - 1, 0)).toBe(1);
});

test('what is new settles when nothing has moved for so long, whatever its files say of their age', () => {
  for (const ageMs of [0, -1e6]) {
    const settling = new Settling();
    expect(settling.waitMs('a', 'x', ageMs, 1000)).toBe(SETTLE_MS);
    expect(settling.waitMs('a', 'x', ageMs, 1150)).toBe(50);
    expect(settling.waitMs('a', 'y', ageMs, 1190)).toBe(SETTLE_MS);
    expect(settling.waitMs('a', 'y', ageMs, 1389)).toBe(1);
    expect(settling.waitMs('a', 'y', ageMs, 1390)).toBe(0);
  }
});

test('what is gone settles by the clock alone, and by itself', () => {
  const settling = new Settling();
  expect(settling.waitMs('a', '', 1e9, 0)).toBe(SETTLE_MS);
  expect(settling.waitMs('b', '', 1e9, 100)).toBe(SETTLE_MS);
  expect(settling.waitMs('a', '', 1e9, 200)).toBe(0);
  expect(settling.waitMs('b', '', 1e9, 200)).toBe(100);
});

test('what has settled begins anew when it is asked for again', () => {
  const settling = new Settling();
  settling.waitMs('a', '', 0, 0);
  expect(settling.waitMs('a', '', 0, 200)).toBe(0);
  expect(settling.waitMs('a', '', 0, 5000)).toBe(SETTLE_MS);
});

test('what stands as it did counts for nothing: a later change is waited for in full', () => {
  const settling = new Settling();
  settling.waitMs('a', '', 0, 0);
  settling.forget('a');
  expect(settling.waitMs('a', '', 0, 9000)).toBe(SETTLE_MS);
});

test('nothing settles before it has stood still for so long, and waiting as long as was said is enough', () => {
  const look = fc.record({ stamp: fc.constantFrom('', 'x', 'y'), afterMs: fc.integer({ min: 0, max: 300 }) });
  fc.assert(
    fc.property(fc.array(look), (looks) => {
      const settling = new Settling();
      let [nowMs, sinceMs, last] = [0, 0, 'none'];
      for (const { stamp, afterMs } of looks) {
        nowMs += afterMs;
        if (stamp !== last) sinceMs = nowMs;
        const waitMs = settling.waitMs('a', stamp, 0, nowMs);
        expect(waitMs).toBe(Math.max(0, SETTLE_MS - (nowMs - sinceMs)));
        last = waitMs === 0 ? 'none' : stamp;
      }
    }),
  );
});
