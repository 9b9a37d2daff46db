import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noPingLimits, type PingLimits, PingPolicy } from '../../../src/transport/http2/ping-policy.js';

/** A policy, its clock, and PINGs at given times. */
class Hand {
  nowMs = 0;
  readings = 0;
  readonly policy: PingPolicy;

  constructor(limits: Partial<PingLimits>) {
    this.policy = new PingPolicy({ ...noPingLimits, ...limits }, () => {
      this.readings++;
      return this.nowMs;
    });
  }

  ping(nowMs: number, isIdle = false): boolean {
    this.nowMs = nowMs;
    return this.policy.receive(isIdle);
  }

  pings(...timesMs: number[]): boolean[] {
    return timesMs.map((nowMs) => this.ping(nowMs));
  }
}

describe('gRPC C-core, ping_abuse_policy.cc: PINGs of the client', () => {
  const usual = { minIntervalMs: 300, minIntervalIdleMs: 7200, strikesMax: 2 };

  test('the first one is on time at any time, also where the clock begins at 0', () => {
    expect(new Hand(usual).ping(0)).toBe(true);
    expect(new Hand(usual).ping(0, true)).toBe(true);
  });

  test('so many may come early, wherever they do', () => {
    expect(new Hand(usual).pings(0, 0, 0, 0)).toEqual([true, true, true, false]);
    expect(new Hand(usual).pings(0, 299, 700, 999, 1400, 1699)).toEqual([true, true, true, true, true, false]);
  });

  test('the interval itself is long enough', () => {
    expect(new Hand(usual).pings(0, 300, 600, 900, 1200)).not.toContain(false);
    expect(new Hand(usual).pings(0, 299, 598, 897)).toEqual([true, true, true, false]);
  });

  test('is counted from the last PING, also where that was early', () => {
    expect(new Hand(usual).pings(0, 200, 400, 600)).toEqual([true, true, true, false]);
  });

  test('without a stream the other interval counts', () => {
    const hand = new Hand(usual);
    expect([hand.ping(0, true), hand.ping(7200, true), hand.ping(14_399, true)]).toEqual([true, true, true]);
    expect([hand.ping(21_598, true), hand.ping(21_898, false), hand.ping(22_198, true)]).toEqual([true, true, false]);
  });

  test('ResetPingStrikes: what was sent of a request voids strikes and the last time', () => {
    const hand = new Hand(usual);
    expect(hand.pings(0, 1, 2)).toEqual([true, true, true]);
    hand.policy.forgive();
    hand.policy.forgive();
    expect(hand.pings(3, 4, 5, 6)).toEqual([true, true, true, false]);
  });

  test('max_ping_strikes 0 is no limit, and costs no look at the clock', () => {
    const hand = new Hand({ ...usual, strikesMax: 0 });
    expect(hand.pings(...Array.from({ length: 100 }, () => 0))).not.toContain(false);
    expect(hand.readings).toBe(0);
  });

  test('an interval of 0 is never too short', () => {
    const hand = new Hand({ ...usual, minIntervalMs: 0 });
    expect(hand.pings(...Array.from({ length: 100 }, () => 0))).not.toContain(false);
  });

  test('as C-core decides, whatever comes', () => {
    const step = fc.record({ waitMs: fc.integer({ min: 0, max: 12 }), isIdle: fc.boolean(), forgives: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 4 }), (steps, strikesMax) => {
        const hand = new Hand({ minIntervalMs: 5, minIntervalIdleMs: 9, strikesMax });
        let [nowMs, lastMs, strikes] = [0, Number.NEGATIVE_INFINITY, 0];
        for (const { waitMs, isIdle, forgives } of steps) {
          if (forgives) {
            hand.policy.forgive();
            [lastMs, strikes] = [Number.NEGATIVE_INFINITY, 0];
          }
          nowMs += waitMs;
          if (lastMs + (isIdle ? 9 : 5) > nowMs) strikes++;
          lastMs = nowMs;
          expect(hand.ping(nowMs, isIdle)).toBe(!(strikes > strikesMax && strikesMax !== 0));
        }
      }),
    );
  });
});
