import type { MetricSample } from './metrics-page.js';

export type MetricMeans = Readonly<Record<string, { readonly mean: number; readonly max: number }>>;

interface Tally {
  sum: number;
  count: number;
  max: number;
}

/** A counter as it was read. */
interface Reading {
  readonly value: number;
  readonly atMs: number;
}

/**
 * What reads of a page say of the time they were made in: of gauges the mean and the greatest value; of counters, as `rate(NAME)`, by
 * how much they grew in a second, on average and at most between two reads. Counters that stand still are left out; those that went
 * back begin anew.
 */
export class MetricsFold {
  readonly #gauges = new Map<string, Tally>();
  readonly #counters = new Map<string, Reading>();
  /** Growth in `sum`, milliseconds in `count`. */
  readonly #rates = new Map<string, Tally>();

  /** @param atMs of a monotonic clock */
  add(samples: readonly MetricSample[], atMs: number): void {
    for (const { series, type, value } of samples) {
      if (type === 'gauge') tally(this.#gauges, series, value, 1, value);
      else this.#count(series, { value, atMs });
    }
  }

  /** What was added since the last `take`; counters go on from what was read last. */
  take(): MetricMeans {
    const means: Record<string, { mean: number; max: number }> = {};
    for (const [series, { sum, count, max }] of this.#gauges) means[series] = { mean: sum / count, max };
    for (const [series, { sum, count, max }] of this.#rates) {
      if (sum > 0) means[`rate(${series})`] = { mean: (sum / count) * 1000, max };
    }
    this.#gauges.clear();
    this.#rates.clear();
    return means;
  }

  #count(series: string, reading: Reading): void {
    const before = this.#counters.get(series);
    this.#counters.set(series, reading);
    if (before === undefined || reading.atMs <= before.atMs || reading.value < before.value) return;
    const grown = reading.value - before.value;
    const ms = reading.atMs - before.atMs;
    tally(this.#rates, series, grown, ms, (grown / ms) * 1000);
  }
}

function tally(tallies: Map<string, Tally>, series: string, sum: number, count: number, max: number): void {
  const known = tallies.get(series);
  if (known === undefined) {
    tallies.set(series, { sum, count, max });
    return;
  }
  known.sum += sum;
  known.count += count;
  known.max = Math.max(known.max, max);
}
