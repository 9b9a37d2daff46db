import { newHistogram } from '../../../bench/load/measure/histogram.js';
import type { Window } from '../../../bench/load/measure/window.js';
import type { CounterPair, ModelCounters } from '../../../bench/load/target/target.js';

export function histogramOf(...values: number[]) {
  const histogram = newHistogram();
  for (const value of values) histogram.recordValue(value);
  return histogram;
}

/** A window of a second without anything in it, but for what is given. */
export function windowOf(given: Partial<Window> = {}): Window {
  return {
    beginMs: 0,
    endMs: 1000,
    requests: 0,
    responses: 0,
    latencyUs: newHistogram(),
    firstResponseUs: newHistogram(),
    betweenResponsesUs: newHistogram(),
    failures: new Map(),
    late: 0,
    lateUs: newHistogram(),
    backlog: 0,
    sendUs: 0,
    receiveUs: 0,
    cpuUs: 0,
    threads: 2,
    sequences: 0,
    pieces: [],
    ...given,
  };
}

export function countersOf(name: string, given: Partial<ModelCounters> = {}): ModelCounters {
  const none: CounterPair = { count: 0, ns: 0 };
  return {
    name,
    version: '1',
    inferences: 0,
    executions: 0,
    success: none,
    fail: none,
    queue: none,
    computeInput: none,
    computeInfer: none,
    computeOutput: none,
    cacheHit: none,
    cacheMiss: none,
    ...given,
  };
}
