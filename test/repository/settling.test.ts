import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Look, SETTLE_MS, Settling } from '../../src/repository/settling.js';

const at = (ms: number): Look => ({ beganMs: ms, endedMs: ms });

test('what is older than the bound has settled at once', () => {
  expect(new Settling().waitMs('a', 'x', SETTLE_MS, at(0))).toBe(0);
  expect(new Settling().waitMs('a', 'x', SETTLE_MS - 1, at(0))).toBe(1);
});

test('what is new settles when nothing has moved for so long, whatever its files say of their age', () => {
  for (const ageMs of [0, -1e6]) {
    const settling = new Settling();
    expect(settling.waitMs('a', 'x', ageMs, at(1000))).toBe(SETTLE_MS);
    expect(settling.waitMs('a', 'x', ageMs, at(1150))).toBe(50);
    expect(settling.waitMs('a', 'y', ageMs, at(1190))).toBe(SETTLE_MS);
    expect(settling.waitMs('a', 'y', ageMs, at(1389))).toBe(1);
    expect(settling.waitMs('a', 'y', ageMs, at(1390))).toBe(0);
  }
});

test('a look that takes long proves nothing: what it saw may have been so at its end for the first time, and at its beginning for the last', () => {
  const settling = new Settling();
  expect(settling.waitMs('a', 'x', -1000, { beganMs: 0, endedMs: 1000 })).toBe(SETTLE_MS);
  expect(settling.waitMs('a', 'x', -1000, { beganMs: 1001, endedMs: 9000 })).toBe(SETTLE_MS - 1);
  expect(settling.waitMs('a', 'x', -1000, { beganMs: 1200, endedMs: 1200 })).toBe(0);
});

test('what is gone settles by the clock alone, and by itself', () => {
  const settling = new Settling();
  expect(settling.waitMs('a', '', 1e9, at(0))).toBe(SETTLE_MS);
  expect(settling.waitMs('b', '', 1e9, at(100))).toBe(SETTLE_MS);
  expect(settling.waitMs('a', '', 1e9, at(200))).toBe(0);
  expect(settling.waitMs('b', '', 1e9, at(200))).toBe(100);
});

test('what has settled begins anew when it is asked for again', () => {
  const settling = new Settling();
  settling.waitMs('a', '', 0, at(0));
  expect(settling.waitMs('a', '', 0, at(200))).toBe(0);
  expect(settling.waitMs('a', '', 0, at(5000))).toBe(SETTLE_MS);
});

test('what stands as it did counts for nothing: a later change is waited for in full', () => {
  const settling = new Settling();
  settling.waitMs('a', '', 0, at(0));
  settling.forget('a');
  expect(settling.waitMs('a', '', 0, at(9000))).toBe(SETTLE_MS);
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
        const waitMs = settling.waitMs('a', stamp, 0, at(nowMs));
        expect(waitMs).toBe(Math.max(0, SETTLE_MS - (nowMs - sinceMs)));
        last = waitMs === 0 ? 'none' : stamp;
      }
    }),
  );
});
