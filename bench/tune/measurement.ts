import { resultLatencyUs } from '../load/measure/distribution.js';
import type { LoadResult } from '../load/report.js';
import type { Measurement } from './search.js';

export function measurementOf(result: LoadResult, percentile: number | null): Measurement {
  const [first] = result.failures;
  return {
    throughput: result.throughput,
    latencyUs: resultLatencyUs(result, percentile),
    memoryBytes: result.process?.memoryBytes ?? 0,
    failures: result.failures.reduce((sum, { count }) => sum + count, 0),
    reason: first === undefined ? '' : `${first.kind}: ${first.message}`,
  };
}

/** Where nothing could be measured: worse than all others. */
export function failedMeasurement(reason: string): Measurement {
  return { throughput: 0, latencyUs: Number.MAX_VALUE, memoryBytes: 0, failures: 1, reason };
}
