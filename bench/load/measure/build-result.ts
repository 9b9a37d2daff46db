import type { Load } from '../load.js';
import type { ClientShare, LoadResult } from '../report.js';
import { distributionOf } from './distribution.js';
import { mergeWindows } from './merge-windows.js';
import type { Look } from './observer.js';
import { metricsOf, processShare, serverShares } from './server-share.js';
import { timelineOf } from './timeline.js';
import type { Window } from './window.js';

/** The windows that count, one after another, and what the server said around them. */
export interface Measured {
  /** At least one. */
  readonly windows: readonly Window[];
  /** One more than windows: before the first, and after each. */
  readonly looks: readonly Look[];
  readonly isStable: boolean;
}

export interface ResultSubject {
  readonly load: Load;
  readonly name: string;
  readonly batchSize: number;
  readonly isDecoupled: boolean;
  /** null = the average. */
  readonly percentile: number | null;
}

/** A row of the report. */
export function buildResult(subject: ResultSubject, { windows, looks, isStable }: Measured): LoadResult {
  const merged = mergeWindows(windows);
  const seconds = (merged.endMs - merged.beginMs) / 1000;
  const perSecond = (count: number) => (seconds > 0 ? count / seconds : 0);
  const distribution = (histogram: Window['latencyUs']) => distributionOf(histogram, subject.percentile);
  const ofDecoupled = (histogram: Window['latencyUs']) => (subject.isDecoupled ? distribution(histogram) : null);
  const [before, after] = [looks[0]!, looks.at(-1)!];
  return {
    load: subject.load,
    name: subject.name,
    isStable,
    seconds,
    requests: merged.requests,
    throughput: perSecond(merged.requests * subject.batchSize),
    responsesPerSecond: perSecond(merged.responses),
    sequencesPerSecond: perSecond(merged.sequences),
    latency: distribution(merged.latencyUs),
    firstResponse: ofDecoupled(merged.firstResponseUs),
    betweenResponses: ofDecoupled(merged.betweenResponsesUs),
    failures: [...merged.failures].map(([kind, { count, message }]) => ({ kind, count, message })),
    lateness:
      subject.load.kind === 'closed'
        ? null
        : { late: merged.late, backlog: merged.backlog, delay: distribution(merged.lateUs) },
    client: clientShare(merged, seconds),
    models: serverShares(before, after),
    process: processShare(before, after, seconds),
    metrics: metricsOf(looks.slice(1)),
    timeline: timelineOf(windows),
  };
}

function clientShare(window: Omit<Window, 'pieces'>, seconds: number): ClientShare {
  const perRequest = (sumUs: number) => (window.requests > 0 ? sumUs / window.requests : 0);
  const threadUs = seconds * 1e6 * window.threads;
  return {
    sendUs: perRequest(window.sendUs),
    receiveUs: perRequest(window.receiveUs),
    cpuUs: perRequest(window.cpuUs),
    utilization: threadUs > 0 ? window.cpuUs / threadUs : 0,
  };
}
