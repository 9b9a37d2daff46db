/** Figure B through figure A, over rounds: geometric mean, and where it lies with a confidence of 95 %. */
export interface Ratio {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export type Verdict = 'faster' | 'slower' | 'no difference shown';

/** Of Student's distribution, two-sided 95 %, for 1 to 30 degrees of freedom. */
const critical = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Beyond the table the first terms of its series are right to three digits. */
function criticalT(freedom: number): number {
  return critical[freedom - 1] ?? 1.96 + 2.372 / freedom;
}

/**
 * The ratio of each round is one observation; their logarithms are taken to be normal, so that 2 and 1/2 are equally far from 1.
 * @param a, b figures of the same rounds, at least two, all above 0
 */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const rounds = a.length;
  if (rounds !== b.length) throw new RangeError(`A has ${rounds} rounds, B has ${b.length}`);
  if (rounds < 2) throw new RangeError(`expected at least two rounds, found ${rounds}`);
  const logs = a.map((value, round) => Math.log(b[round]! / value));
  if (!logs.every(Number.isFinite)) throw new RangeError('a figure is 0: there is no ratio');
  const mean = logs.reduce((sum, log) => sum + log, 0) / rounds;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (rounds - 1);
  const reach = criticalT(rounds - 1) * Math.sqrt(variance / rounds);
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach), rounds };
}

/** @param better what makes B the faster one */
export function verdictOf({ low, high }: Ratio, better: 'lower' | 'higher'): Verdict {
  if (low <= 1 && high >= 1) return 'no difference shown';
  return high < 1 === (better === 'lower') ? 'faster' : 'slower';
}
