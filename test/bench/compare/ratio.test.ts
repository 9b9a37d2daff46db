import { expect, test } from 'vitest';
import { ratioOf, verdictOf } from '../../../bench/compare/ratio.js';

test('the ratio is the geometric mean of the rounds, with the t-interval of its logarithm', () => {
  const ratio = ratioOf([100, 50, 200], [110, 60.5, 266.2]);
  expect(ratio.mean).toBeCloseTo(1.21, 10);
  // Logarithms 1, 2 and 3 times ln 1.1: 1.21 by and through exp(4.303 * ln 1.1 / sqrt 3).
  expect(ratio.low).toBeCloseTo(0.9549, 4);
  expect(ratio.high).toBeCloseTo(1.5333, 4);
  expect(ratio.rounds).toBe(3);
});

test('twice and half are equally far from 1', () => {
  const { mean, low, high } = ratioOf([1, 1], [2, 0.5]);
  expect(mean).toBeCloseTo(1, 10);
  expect(low * high).toBeCloseTo(1, 10);
});

test('beyond 30 degrees of freedom the interval goes on as before', () => {
  const reachOf = (rounds: number) => {
    const b = Array.from({ length: rounds }, (_, round) => (round % 2 === 0 ? Math.E : 1 / Math.E));
    const { high } = ratioOf(new Array(rounds).fill(1), b);
    return Math.log(high);
  };
  // 2.0017 = t of 59 degrees; the deviation of these logarithms is sqrt(60 / 59).
  expect(reachOf(60)).toBeCloseTo((2.001 * Math.sqrt(60 / 59)) / Math.sqrt(60), 3);
});

test.each([
  { low: 0.8, high: 0.9, better: 'lower', verdict: 'faster' },
  { low: 0.8, high: 0.9, better: 'higher', verdict: 'slower' },
  { low: 1.1, high: 1.2, better: 'lower', verdict: 'slower' },
  { low: 1.1, high: 1.2, better: 'higher', verdict: 'faster' },
  { low: 0.9, high: 1.1, better: 'lower', verdict: 'no difference shown' },
  { low: 1, high: 1.1, better: 'higher', verdict: 'no difference shown' },
] as const)('an interval from $low to $high where $better is better: $verdict', ({ low, high, better, verdict }) => {
  expect(verdictOf({ mean: Math.sqrt(low * high), low, high, rounds: 5 }, better)).toBe(verdict);
});

test('one round, different numbers of rounds and figures of 0 are no comparison', () => {
  expect(() => ratioOf([1], [1])).toThrow('at least two rounds, found 1');
  expect(() => ratioOf([1, 2], [1])).toThrow('A has 2 rounds, B has 1');
  expect(() => ratioOf([1, 2], [1, 0])).toThrow('a figure is 0');
});
