import type { LoadResult, ServerShare } from '../report.js';
import type { CounterPair, ModelCounters } from '../target/target.js';
import type { Look } from './observer.js';

/** What the server did between two looks, model by model; [] = it keeps no statistics. */
export function serverShares(before: Look, after: Look): ServerShare[] {
  const earlier = new Map((before.counters ?? []).map((counters) => [keyOf(counters), counters]));
  return (after.counters ?? []).map((counters) => shareOf(earlier.get(keyOf(counters)), counters));
}

function keyOf({ name, version }: ModelCounters): string {
  return `${name}/${version}`;
}

/** @param before undefined = the model was not there yet: its counters began at 0 */
function shareOf(before: ModelCounters | undefined, after: ModelCounters): ServerShare {
  const count = (part: 'inferences' | 'executions') => after[part] - (before?.[part] ?? 0);
  const pair = (part: PairName) => difference(before?.[part], after[part]);
  const requests = pair('success').count;
  const perRequestUs = (part: PairName) => meanUs(pair(part).ns, requests);
  const [hits, misses] = [pair('cacheHit'), pair('cacheMiss')];
  return {
    model: after.name,
    version: after.version,
    inferences: count('inferences'),
    executions: count('executions'),
    requests,
    failed: pair('fail').count,
    requestUs: perRequestUs('success'),
    queueUs: perRequestUs('queue'),
    computeInputUs: perRequestUs('computeInput'),
    computeInferUs: perRequestUs('computeInfer'),
    computeOutputUs: perRequestUs('computeOutput'),
    cacheHits: hits.count,
    cacheMisses: misses.count,
    cacheHitUs: meanUs(hits.ns, hits.count),
    cacheMissUs: meanUs(misses.ns, misses.count),
  };
}

type PairName = {
  [Key in keyof ModelCounters]: ModelCounters[Key] extends CounterPair ? Key : never;
}[keyof ModelCounters];

function difference(before: CounterPair | undefined, after: CounterPair): CounterPair {
  return { count: after.count - (before?.count ?? 0), ns: after.ns - (before?.ns ?? 0) };
}

function meanUs(ns: number, count: number): number {
  return count > 0 ? ns / count / 1000 : 0;
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
