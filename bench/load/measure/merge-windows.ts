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
    ...countsOf(windows),
    latencyUs: merged('latencyUs'),
    firstResponseUs: merged('firstResponseUs'),
    betweenResponsesUs: merged('betweenResponsesUs'),
    late: sum(({ late }) => late),
    lateUs: merged('lateUs'),
    backlog: last.backlog,
    cpuUs: sum(({ cpuUs }) => cpuUs),
    threads: last.threads,
  };
}

type Counts = Pick<Window, 'requests' | 'responses' | 'sendUs' | 'receiveUs' | 'sequences' | 'failures'>;

/** What adds up over windows that follow each other, as over threads that run beside each other. */
export function countsOf(parts: readonly Counts[]): Counts {
  const sum = (of: (part: Counts) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    requests: sum(({ requests }) => requests),
    responses: sum(({ responses }) => responses),
    sendUs: sum(({ sendUs }) => sendUs),
    receiveUs: sum(({ receiveUs }) => receiveUs),
    sequences: sum(({ sequences }) => sequences),
    failures: mergeFailures(parts),
  };
}

/** Of each kind the first message stays. */
function mergeFailures(parts: readonly Pick<Counts, 'failures'>[]): Counts['failures'] {
  const merged = new Map<string, FailureCount>();
  for (const { failures } of parts) {
    for (const [kind, { count, message }] of failures) {
      const before = merged.get(kind);
      merged.set(kind, { count: (before?.count ?? 0) + count, message: before?.message ?? message });
    }
  }
  return merged;
}
