import type { ServerShare } from '../report.js';
import type { CounterPair, ModelCounters } from './target.js';

const ZERO: CounterPair = { count: 0, ns: 0 };

/** Of several models or versions; `notes` are for the user. */
export interface ServerShares {
  readonly shares: readonly ServerShare[];
  readonly notes: readonly string[];
}

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

/** Of each version that did anything in between; where none did, of the greatest of each model. */
export function serverShares(before: readonly ModelCounters[], after: readonly ModelCounters[]): ServerShares {
  const shares: ServerShare[] = [];
  const notes: string[] = [];
  for (const counters of after) {
    const earlier = before.find(({ name, version }) => name === counters.name && version === counters.version);
    const share = serverShare(earlier ?? null, counters);
    if (share !== null) shares.push(share);
    else notes.push(wentBack(counters));
  }
  const busy = shares.filter(isBusy);
  const idle = shares.filter((share) => isLatest(share, after) && !busy.some(({ model }) => model === share.model));
  return { shares: [...busy, ...idle], notes };
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

function wentBack({ name, version }: ModelCounters): string {
  return `the counters of model '${name}' version ${version} went back: it was loaded anew meanwhile, or the server was started anew`;
}
