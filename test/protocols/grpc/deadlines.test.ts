import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadlines, type Expiring } from '../../../src/protocols/grpc/deadlines.js';
import { parseTimeoutUs } from '../../../src/protocols/grpc/grpc-timeout.js';

describe('deadlines', () => {
  let nowMs = 0;

  beforeEach(() => {
    nowMs = 1_000_000;
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  function pass(ms: number): void {
    for (let step = 0; step < ms; step++) {
      nowMs++;
      vi.advanceTimersByTime(1);
    }
  }

  class Call implements Expiring {
    readonly deadlineUs: number;
    expiredMs = 0;

    constructor(afterMs: number) {
      this.deadlineUs = (nowMs + afterMs) * 1000;
    }

    expire(): void {
      if (this.expiredMs > 0) throw new Error('it expired twice');
      this.expiredMs = nowMs;
    }
  }

  test('are kept to 10 ms, never early, unless the call has ended; no timer is left', () => {
    const calls = fc.array(fc.record({ afterMs: fc.integer({ min: -20, max: 200 }), endsMs: fc.nat({ max: 400 }) }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(calls, (plans) => {
        const deadlines = new Deadlines(() => nowMs * 1000);
        const beginMs = nowMs;
        const made = plans.map(({ afterMs, endsMs }) => ({ call: new Call(afterMs), endsMs }));
        for (const { call } of made) deadlines.add(call);
        for (let ms = 0; ms <= 400; ms++) {
          for (const { call, endsMs } of made) if (endsMs === ms && call.expiredMs === 0) deadlines.remove(call);
          pass(1);
        }
        for (const { call, endsMs } of made) {
          const dueMs = Math.max(beginMs, call.deadlineUs / 1000);
          if (call.expiredMs === 0) expect(beginMs + endsMs).toBeLessThanOrEqual(dueMs + 21);
          else expect([call.expiredMs >= dueMs, call.expiredMs <= dueMs + 21]).toEqual([true, true]);
        }
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});

describe('grpc-timeout', () => {
  test.each([
    ['1H', 3.6e9],
    ['2M', 1.2e8],
    ['3S', 3e6],
    ['4m', 4000],
    ['5u', 5],
    ['500n', 0.5],
    ['99999999H', 99_999_999 * 3.6e9],
  ])('%s is a time', (text, us) => {
    expect(parseTimeoutUs(text)).toBe(us);
  });

  test.each(['', 'S', '1', '1s', '-1S', '1.5S', '123456789S', '1 S', '0x1S'])("'%s' is none", (text) => {
    expect(parseTimeoutUs(text)).toBe(-1);
  });
});
