import { expect, test } from 'vitest';
import { judge, type Trial } from '../../../../bench/load/measure/stability.js';

const rules = { stabilityPercent: 10, maxTrials: 5, latencyLimitUs: null };
const trials = (...pairs: [requestsPerSecond: number, latencyUs: number][]): Trial[] =>
  pairs.map(([requestsPerSecond, latencyUs]) => ({ requestsPerSecond, latencyUs }));

test('three windows in a row must agree', () => {
  expect(judge(trials([100, 10], [100, 10]), rules)).toBe('more');
  expect(judge(trials([100, 10], [100, 10], [100, 10]), rules)).toBe('stable');
  expect(judge(trials([10, 10], [100, 10], [100, 10]), rules)).toBe('more');
  expect(judge(trials([10, 10], [100, 10], [100, 10], [100, 10]), rules)).toBe('stable');
});

test('both throughput and latency count, within so much of the mean on either side', () => {
  expect(judge(trials([90, 10], [100, 10], [110, 10]), rules)).toBe('stable');
  expect(judge(trials([89, 10], [100, 10], [111, 10]), rules)).toBe('more');
  expect(judge(trials([100, 8], [100, 10], [100, 12]), rules)).toBe('more');
});

test('after the last window that there may be, it is unstable', () => {
  expect(judge(trials([1, 1], [9, 1], [1, 1], [9, 1]), rules)).toBe('more');
  expect(judge(trials([1, 1], [9, 1], [1, 1], [9, 1], [1, 1]), rules)).toBe('unstable');
  expect(judge(trials([1, 1]), { ...rules, maxTrials: 1 })).toBe('unstable');
});

test('three windows over the limit end it, also where they do not agree', () => {
  const limited = { ...rules, latencyLimitUs: 20 };
  expect(judge(trials([100, 21], [100, 40], [100, 60]), limited)).toBe('over limit');
  expect(judge(trials([100, 20], [100, 40], [100, 60]), limited)).toBe('more');
  expect(judge(trials([100, 30], [100, 30], [100, 30]), limited)).toBe('stable');
});

test('windows without requests never agree', () => {
  expect(judge(trials([0, 0], [0, 0], [0, 0]), rules)).toBe('more');
});
