import { resultLatencyUs } from '../measure/distribution.js';
import { isOver } from '../measure/stability.js';
import type { LoadResult } from '../report.js';

/** Latency that is within the limit, and good answers at all. */
export function isWithinLimit(result: LoadResult, percentile: number | null, limitUs: number | null): boolean {
  return result.requests > 0 && !isOver(resultLatencyUs(result, percentile), limitUs);
}

/** Of the result with the greatest throughput within the limit; null = there is none. */
export function bestOf(
  results: readonly LoadResult[],
  percentile: number | null,
  limitUs: number | null,
): number | null {
  let best: number | null = null;
  for (const [index, result] of results.entries()) {
    if (!isWithinLimit(result, percentile, limitUs)) continue;
    if (best === null || result.throughput > results[best]!.throughput) best = index;
  }
  return best;
}
