import { expect, test } from 'vitest';
import { serverShare, serverShares } from '../../../../bench/load/target/server-share.js';
import type { ModelCounters } from '../../../../bench/load/target/target.js';

const NOTHING = { count: 0, ns: 0 };

function counters(given: Partial<ModelCounters> = {}): ModelCounters {
  return {
    name: 'm',
    version: '1',
    inferences: 0,
    executions: 0,
    success: NOTHING,
    fail: NOTHING,
    queue: NOTHING,
    computeInput: NOTHING,
    computeInfer: NOTHING,
    computeOutput: NOTHING,
    cacheHit: NOTHING,
    cacheMiss: NOTHING,
    ...given,
  };
}

test('means are of what ended between the two looks', () => {
  const before = counters({ inferences: 100, executions: 50, success: { count: 60, ns: 5_000_000 } });
  const after = counters({
    inferences: 116,
    executions: 52,
    success: { count: 64, ns: 5_400_000 },
    fail: { count: 1, ns: 9 },
    queue: { count: 4, ns: 40_000 },
    computeInput: { count: 4, ns: 4_000 },
    computeInfer: { count: 4, ns: 200_000 },
    computeOutput: { count: 4, ns: 8_000 },
    cacheHit: { count: 2, ns: 6_000 },
    cacheMiss: { count: 5, ns: 5_000 },
  });
  expect(serverShare(before, after)).toEqual({
    model: 'm',
    version: '1',
    inferences: 16,
    executions: 2,
    requests: 4,
    failed: 1,
    requestUs: 100,
    queueUs: 10,
    computeInputUs: 1,
    computeInferUs: 50,
    computeOutputUs: 2,
    cacheHits: 2,
    cacheMisses: 5,
    cacheHitUs: 3,
    cacheMissUs: 1,
  });
});

test('where nothing happened all is 0, and no quotient is none', () => {
  expect(Object.values(serverShare(counters(), counters())!).filter((value) => typeof value === 'number')).toEqual(
    new Array(13).fill(0),
  );
});

test.each<Partial<ModelCounters>>([
  { inferences: 1 },
  { executions: 1 },
  { success: { count: 1, ns: 0 } },
  { queue: { count: 0, ns: 1 } },
])('counters that went back from %j say nothing', (before) => {
  expect(serverShare(counters(before), counters())).toBeNull();
  expect(serverShares([counters(before)], [counters()])).toEqual([]);
});

test('of versions those count that did something, also one that came up meanwhile', () => {
  const busy = counters({ version: '3', inferences: 2, success: { count: 2, ns: 2000 } });
  const shares = serverShares(
    [counters({ version: '2' }), counters({ version: '10' })],
    [counters({ version: '2' }), busy, counters({ version: '10' })],
  );
  expect(shares.map(({ version, requests }) => [version, requests])).toEqual([['3', 2]]);
});

test('of a model that did nothing the latest version stands there', () => {
  const idle = [counters({ version: '2' }), counters({ version: '10' })];
  expect(serverShares(idle, idle).map(({ version }) => version)).toEqual(['10']);
});

test('models stay in their order, whether or not they did anything', () => {
  const [outer, inner] = [counters({ name: 'outer' }), counters({ name: 'inner' })];
  const busy = { ...inner, executions: 1 };
  expect(serverShares([outer, inner], [outer, busy]).map(({ model }) => model)).toEqual(['outer', 'inner']);
});
