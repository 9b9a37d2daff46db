import { NO_CONNECTION } from '../generator/lanes.js';
import { resultLatencyUs } from '../measure/distribution.js';
import type { LoadReport, LoadResult } from '../report.js';
import { levelOf } from '../search/next-load.js';
import { count, inMs, latencyName, shortNumber } from './format.js';
import { inOrder } from './in-order.js';

/** From this part of their time on, generators may be what limits the result. */
const BUSY = 0.8;
/** Code that has just been loaded is slow: a shorter time says nothing about the generators. */
const BUSY_SECONDS = 0.5;

/** What a reader of the table must know, in sentences. */
export function remarksOf(report: LoadReport): string[] {
  return [
    ...(report.isPartial ? ['Not all was measured: the run ended early.'] : []),
    ...stabilityRemarks(report),
    ...inOrder(report.results).flatMap((result) => remarksOfResult(result, report)),
    ...bestRemark(report),
  ];
}

function stabilityRemarks({ results, percentile, isPartial }: LoadReport): string[] {
  const unstable = results.filter(({ isStable, requests }) => !isStable && requests > 0);
  const cut = isPartial && unstable.at(-1) === results.at(-1) ? unstable.pop() : undefined;
  const remarks: string[] = [];
  if (unstable.length > 0) {
    remarks.push(
      `${inOrder(unstable).map(loadName).join(', ')}: not stable: three windows in a row never agreed in throughput and latency ` +
        `(${latencyName(percentile)}); ` +
        'a longer --measurement-interval, more --max-trials or a larger --stability-percentage may help.',
    );
  }
  if (cut !== undefined) remarks.push(`${loadName(cut)}: cut short, only ${shortNumber(cut.seconds)} s were measured.`);
  return remarks;
}

function remarksOfResult(result: LoadResult, report: LoadReport): string[] {
  const remarks: string[] = [];
  const say = (sentence: string) => remarks.push(`${loadName(result)}: ${sentence}`);
  if (result.client.utilization > BUSY && result.seconds >= BUSY_SECONDS) {
    say(
      `the load generator was ${Math.round(result.client.utilization * 100)} % busy: this may be its limit, not the server's; ` +
        'use more --max-threads, or another machine for it.',
    );
  }
  const { lateness, requests, failures } = result;
  const all = requests + failures.reduce((sum, { count: failed }) => sum + failed, 0);
  if (lateness !== null && lateness.late > 0) {
    const { late, backlog, delay } = lateness;
    const waiting = backlog > 0 ? `; ${count(backlog)} still waited at the end` : '';
    say(
      `${count(late)} of ${count(all)} requests left late, by ${inMs(delay.mean)} ms on average${waiting}; ` +
        'their latency counts from when they were due.',
    );
    const full = fullRemark(result, report);
    if (full !== null) say(full);
  }
  for (const { kind, count: failed, message } of result.failures) {
    const what = kind === NO_CONNECTION ? ['attempt to connect', 'attempts to connect'] : ['request', 'requests'];
    const how = kind === NO_CONNECTION ? '' : ` with ${kind}`;
    say(`${count(failed)} ${what[failed === 1 ? 0 : 1]} failed${how}${message === '' ? '' : `: ${message}`}`);
  }
  return remarks;
}

/** Where on average this part of what may be in flight is, what is due waits for an answer now and then. */
const FULL = 0.5;

/** On average, by Little's law: as many as leave in the time that one takes. */
function inFlight({ latency, lateness, seconds }: LoadResult): number {
  const waitedUs = lateness === null ? 0 : lateness.delay.mean * lateness.delay.count;
  return seconds === 0 ? 0 : (latency.mean * latency.count - waitedUs) / (seconds * 1e6);
}

/** Of late requests: those before them took all places; null = they did not. */
function fullRemark(result: LoadResult, { server, model }: LoadReport): string | null {
  const { load } = result;
  const busy = inFlight(result);
  if (load.kind === 'closed' || busy < FULL * load.maxInFlight) return null;
  const used = `${shortNumber(busy)} of ${load.maxInFlight}`;
  if (model.scheduler === 'sequence') {
    return `${used} sequences had a step in flight on average: --num-of-sequences N allows more.`;
  }
  if (server.protocol === 'http') return `${used} connections were in use on average: --connections N allows more.`;
  return `${used} requests that a rate may have in flight were so on average: the server is too slow for it.`;
}

function bestRemark({ results, best, latencyLimitUs, percentile }: LoadReport): string[] {
  if (results.length === 0) return [];
  const limit = latencyLimitUs === null ? '' : ` within ${inMs(latencyLimitUs)} ms (${latencyName(percentile)})`;
  if (best === null) return latencyLimitUs === null ? [] : [`No load was${limit}.`];
  if (results.length === 1 && latencyLimitUs === null) return [];
  const result = results[best]!;
  const latency = `${latencyName(percentile)} ${inMs(resultLatencyUs(result, percentile))} ms`;
  return [`Best${limit}: ${loadName(result)}, ${shortNumber(result.throughput)} infer/s, ${latency}.`];
}

function loadName({ name, load }: LoadResult): string {
  return load.kind === 'closed' && name === String(levelOf(load)) ? `concurrency ${name}` : `load ${name}`;
}
