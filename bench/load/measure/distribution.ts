import { encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Distribution, LoadResult } from '../report.js';

/** What every report says. */
const PERCENTILES = [50, 90, 95, 99, 99.9];

/**
 * @param asked a further percentile; null = none
 */
export function distributionOf(histogram: Histogram, asked: number | null): Distribution {
  const isEmpty = histogram.totalCount === 0;
  const all = new Set(asked === null ? PERCENTILES : [...PERCENTILES, asked]);
  const percentiles = [...all]
    .sort((a, b) => a - b)
    .map((percentile) => [String(percentile), histogram.getValueAtPercentile(percentile)] as const);
  return {
    count: histogram.totalCount,
    mean: histogram.mean,
    deviation: histogram.stdDeviation,
    min: isEmpty ? 0 : histogram.getValueAtPercentile(0),
    max: isEmpty ? 0 : histogram.maxValue,
    percentiles: Object.fromEntries(percentiles),
    histogram: encodeIntoCompressedBase64(histogram),
  };
}

/** The latency that decides about stability and limits, in microseconds. */
export function decidingLatencyUs(histogram: Histogram, percentile: number | null): number {
  return percentile === null ? histogram.mean : histogram.getValueAtPercentile(percentile);
}

/** The same of a result that is finished. */
export function resultLatencyUs({ latency }: Pick<LoadResult, 'latency'>, percentile: number | null): number {
  return percentile === null ? latency.mean : latency.percentiles[String(percentile)]!;
}
