import { expect, test } from 'vitest';
import { Breaker } from '../../../src/core/cache/breaker.js';

test('after three failures in a row nobody asks for a second, then one does, and all when it was answered', () => {
  const breaker = new Breaker();
  breaker.failed(0);
  breaker.failed(10);
  breaker.succeeded();
  for (const us of [20, 30, 40]) {
    expect(breaker.allows(us)).toBe(true);
    breaker.failed(us);
  }
  expect([breaker.isClosed, breaker.allows(50), breaker.allows(1_000_039)]).toEqual([false, false, false]);
  expect([breaker.allows(1_000_040), breaker.allows(1_000_041)]).toEqual([true, false]);
  breaker.failed(1_010_000);
  expect([breaker.allows(2_009_999), breaker.allows(2_010_000)]).toEqual([false, true]);
  breaker.succeeded();
  expect([breaker.isClosed, breaker.allows(2_010_001), breaker.allows(2_010_002)]).toEqual([true, true, true]);
});

test('where the one that asks is never heard of, another does', () => {
  const breaker = new Breaker();
  for (const us of [1, 2, 3]) breaker.failed(us);
  expect(breaker.allows(1_000_003)).toBe(true);
  expect([breaker.allows(2_000_002), breaker.allows(2_000_003)]).toEqual([false, true]);
});
