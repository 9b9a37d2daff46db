import type { LoadResult, ServerShare } from '../report.js';
import { serverShares as sharesBetween } from '../target/server-share.js';
import type { Look } from './observer.js';

/** What the server did between two looks, model by model; [] = it keeps no statistics. */
export function serverShares(before: Look, after: Look): ServerShare[] {
  return sharesBetween(before.counters ?? [], after.counters ?? []);
}

/** Cores that the server's process kept busy between two looks, and its memory at the second. */
export function processShare(before: Look, after: Look, seconds: number): LoadResult['process'] {
  if (before.process === null || after.process === null || seconds <= 0) return null;
  return {
    cpuCores: (after.process.cpuSeconds - before.process.cpuSeconds) / seconds,
    memoryBytes: after.process.memoryBytes,
  };
}

/** @param looks those after each window: each has the samples since the one before it */
export function metricsOf(looks: readonly Look[]): LoadResult['metrics'] {
  const sums = new Map<string, { count: number; sum: number; max: number }>();
  for (const { metrics } of looks) {
    if (metrics === null) return null;
    for (const [name, samples] of metrics) {
      const total = sums.get(name) ?? { count: 0, sum: 0, max: Number.NEGATIVE_INFINITY };
      total.count += samples.count;
      total.sum += samples.sum;
      total.max = Math.max(total.max, samples.max);
      sums.set(name, total);
    }
  }
  const filled = [...sums].filter(([, { count }]) => count > 0);
  return Object.fromEntries(filled.map(([name, { count, sum, max }]) => [name, { mean: sum / count, max }]));
}
