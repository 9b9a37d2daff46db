import { assert } from '../../../src/base/assert.js';
import { mergeHistograms } from './histogram.js';
import type { FailureCount, Window } from './window.js';

/** Windows that follow each other, as one; pieces stay with their windows (`timelineOf`). At least one. */
export function mergeWindows(windows: readonly Window[]): Omit<Window, 'pieces'> {
  const [first, last] = [windows[0], windows.at(-1)];
  assert(first !== undefined && last !== undefined, 'no window to merge');
  const sum = (part: (window: Window) => number) => windows.reduce((total, window) => total + part(window), 0);
  const merged = (part: 'latencyUs' | 'firstResponseUs' | 'betweenResponsesUs' | 'lateUs') =>
    mergeHistograms(windows.map((window) => window[part]));
  return {
    beginMs: first.beginMs,
    endMs: last.endMs,
    requests: sum(({ requests }) => requests),
    responses: sum(({ responses }) => responses),
    latencyUs: merged('latencyUs'),
    firstResponseUs: merged('firstResponseUs'),
    betweenResponsesUs: merged('betweenResponsesUs'),
    failures: mergeFailures(windows),
    late: sum(({ late }) => late),
    lateUs: merged('lateUs'),
    backlog: last.backlog,
    sendUs: sum(({ sendUs }) => sendUs),
    receiveUs: sum(({ receiveUs }) => receiveUs),
    cpuUs: sum(({ cpuUs }) => cpuUs),
    threads: last.threads,
    sequences: sum(({ sequences }) => sequences),
  };
}

/** Counts add up; of each kind the first message stays. */
function mergeFailures(windows: readonly Window[]): ReadonlyMap<string, FailureCount> {
  const merged = new Map<string, FailureCount>();
  for (const { failures } of windows) {
    for (const [kind, { count, message }] of failures) {
      const before = merged.get(kind);
      merged.set(kind, { count: (before?.count ?? 0) + count, message: before?.message ?? message });
    }
  }
  return merged;
}
