import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Contender, quartiles, ratios, runRounds, turnOrder } from '../../../bench/core/rounds.js';

describe('quartiles', () => {
  test('of an odd number of values are values', () => {
    expect(quartiles([5, 1, 4, 2, 3])).toEqual({ low: 2, median: 3, high: 4 });
  });

  test('between two values are interpolated', () => {
    expect(quartiles([1, 2, 3, 4])).toEqual({ low: 1.75, median: 2.5, high: 3.25 });
  });

  test('of one value are that value', () => {
    expect(quartiles([7])).toEqual({ low: 7, median: 7, high: 7 });
  });

  test('of nothing is an error', () => {
    expect(() => quartiles([])).toThrow('no values');
  });

  test('lie in order between the extremes', () =>
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { low, median, high } = quartiles(values);
        const ordered = [Math.min(...values), low, median, high, Math.max(...values)];
        expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
      }),
    ));
});

describe('rounds', () => {
  test('divide each round by the same round of the other side', () => {
    expect(ratios([10, 9, 4], [20, 10, 8])).toEqual([0.5, 0.9, 0.5]);
  });

  test('refuse sides of different length', () => {
    expect(() => ratios([1], [1, 2])).toThrow('different numbers of rounds');
  });

  test('give everybody one turn each, and each place in turn', () => {
    expect([0, 1, 2, 3].map((round) => turnOrder(['a', 'b', 'c'], round).join(''))).toEqual([
      'abc',
      'bca',
      'cab',
      'abc',
    ]);
  });

  test('keep the samples of a contender in the order of the rounds', async () => {
    const calls: string[] = [];
    const contender = (name: string): Contender => ({
      name,
      async sample(seconds) {
        calls.push(name);
        return { rate: calls.length, p50Us: null, p99Us: null, cpuUs: seconds };
      },
    });
    const samples = await runRounds([contender('server'), contender('limit')], 2, 5);
    expect(calls).toEqual(['server', 'limit', 'limit', 'server']);
    expect(samples.get('server')!.map(({ rate }) => rate)).toEqual([1, 4]);
    expect(samples.get('limit')!.map(({ cpuUs }) => cpuUs)).toEqual([5, 5]);
  });
});
