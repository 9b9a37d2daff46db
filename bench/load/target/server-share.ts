import type { ServerShare } from '../report.js';
import type { CounterPair, ModelCounters } from './target.js';

const ZERO: CounterPair = { count: 0, ns: 0 };

/**
 * What a version did between two looks at its counters. As perf_analyzer, the durations are those of requests that began earlier too:
 * only what ended in between counts, and all of it.
 * @param before null = it was not there yet
 * @returns null = a counter went back: the model was loaded anew in between, and what it did is not known
 */
export function serverShare(before: ModelCounters | null, after: ModelCounters): ServerShare | null {
  const pair = (name: PairName) => minus(after[name], before?.[name] ?? ZERO);
  const inferences = after.inferences - (before?.inferences ?? 0);
  const executions = after.executions - (before?.executions ?? 0);
  const pairs = PAIRS.map(pair);
  if (inferences < 0 || executions < 0 || pairs.some(({ count, ns }) => count < 0 || ns < 0)) return null;
  const success = pair('success');
  const perRequest = (name: PairName) => meanUs(pair(name).ns, success.count);
  const hit = pair('cacheHit');
  const miss = pair('cacheMiss');
  return {
    model: after.name,
    version: after.version,
    inferences,
    executions,
    requests: success.count,
    failed: pair('fail').count,
    requestUs: perRequest('success'),
    queueUs: perRequest('queue'),
    computeInputUs: perRequest('computeInput'),
    computeInferUs: perRequest('computeInfer'),
    computeOutputUs: perRequest('computeOutput'),
    cacheHits: hit.count,
    cacheMisses: miss.count,
    cacheHitUs: meanUs(hit.ns, hit.count),
    cacheMissUs: meanUs(miss.ns, miss.count),
  };
}

/**
 * Of each version that did anything in between, in the order of `after`; of a model of which none did, of the greatest. What is not known
 * is left out.
 */
export function serverShares(before: readonly ModelCounters[], after: readonly ModelCounters[]): ServerShare[] {
  const earlier = new Map(before.map((counters) => [keyOf(counters), counters]));
  const shares = after
    .map((counters) => serverShare(earlier.get(keyOf(counters)) ?? null, counters))
    .filter((share) => share !== null);
  const busy = new Set(shares.filter(isBusy).map(({ model }) => model));
  return shares.filter((share) => isBusy(share) || (!busy.has(share.model) && isLatest(share, after)));
}

function keyOf({ name, version }: ModelCounters): string {
  return `${name}/${version}`;
}

type PairName = (typeof PAIRS)[number];

const PAIRS = [
  'success',
  'fail',
  'queue',
  'computeInput',
  'computeInfer',
  'computeOutput',
  'cacheHit',
  'cacheMiss',
] as const satisfies readonly (keyof ModelCounters)[];

function minus(after: CounterPair, before: CounterPair): CounterPair {
  return { count: after.count - before.count, ns: after.ns - before.ns };
}

function meanUs(ns: number, count: number): number {
  return count === 0 ? 0 : ns / count / 1000;
}

function isBusy({ requests, failed, executions, inferences }: ServerShare): boolean {
  return requests + failed + executions + inferences > 0;
}

function isLatest({ model, version }: ServerShare, all: readonly ModelCounters[]): boolean {
  return all.every((other) => other.name !== model || Number(other.version) <= Number(version));
}
