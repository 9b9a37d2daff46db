import { decidingLatencyUs } from './distribution.js';
import type { Window } from './window.js';

/** So many windows in a row must agree, and make up the result. */
export const STABLE_WINDOWS = 3;

/** What is compared between windows. */
export interface Trial {
  /** Good requests per second. */
  readonly requestsPerSecond: number;
  /** The average or the percentile that decides. */
  readonly latencyUs: number;
}

export interface StabilityRules {
  readonly stabilityPercent: number;
  readonly maxTrials: number;
  /** null = none. */
  readonly latencyLimitUs: number | null;
}

/**
 * `stable`: the last three windows agree. `over limit`: each of them is slower than the limit, so that more windows would not help.
 * `unstable`: as many windows as there may be, and they do not agree. `more`: another window is needed.
 */
export type Verdict = 'stable' | 'over limit' | 'unstable' | 'more';

export function trialOf(window: Window, percentile: number | null): Trial {
  const seconds = (window.endMs - window.beginMs) / 1000;
  return {
    requestsPerSecond: seconds > 0 ? window.requests / seconds : 0,
    latencyUs: decidingLatencyUs(window.latencyUs, percentile),
  };
}

/** perf_analyzer: `InferenceProfiler::ProfileHelper`, which also gives up early on a load that is over the limit. */
export function judge(trials: readonly Trial[], rules: StabilityRules): Verdict {
  const last = trials.slice(-STABLE_WINDOWS);
  if (last.length === STABLE_WINDOWS) {
    if (agree(last, rules.stabilityPercent)) return 'stable';
    if (last.every(({ latencyUs }) => isOver(latencyUs, rules.latencyLimitUs))) return 'over limit';
  }
  return trials.length >= rules.maxTrials ? 'unstable' : 'more';
}

export function isOver(latencyUs: number, limitUs: number | null): boolean {
  return limitUs !== null && latencyUs > limitUs;
}

function agree(trials: readonly Trial[], percent: number): boolean {
  if (trials.some(({ requestsPerSecond }) => requestsPerSecond === 0)) return false;
  return (
    isNarrow(
      trials.map(({ requestsPerSecond }) => requestsPerSecond),
      percent,
    ) &&
    isNarrow(
      trials.map(({ latencyUs }) => latencyUs),
      percent,
    )
  );
}

/** Each is within so much of their mean. */
function isNarrow(values: readonly number[], percent: number): boolean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.every((value) => Math.abs(value - mean) <= (mean * percent) / 100);
}
