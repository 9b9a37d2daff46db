import { decodeFromCompressedBase64, JsHistogram } from 'hdr-histogram-js';
import type { Distribution } from '../load/report.js';
import { BINS_PER_DECADE, type Bins, CURVE_STEPS, type PageLatency } from './page/bench-data.js';
import { ReportError } from './read-report.js';

/** A distribution as the page shows it; null = nothing was counted. Throws ReportError where the histogram cannot be decoded. */
export function pageLatency(distribution: Distribution): PageLatency | null {
  if (distribution.count === 0) return null;
  const { mean, deviation, min, max, percentiles } = distribution;
  const histogram = distribution.histogram === '' ? null : decode(distribution.histogram);
  const bins = histogram === null ? null : binsOf(histogram);
  const curve = histogram === null ? [] : curveOf(histogram);
  return { mean, deviation, min, max, percentiles, bins, curve };
}

function decode(base64: string): JsHistogram {
  try {
    const histogram = decodeFromCompressedBase64(base64);
    if (histogram instanceof JsHistogram) return histogram;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ReportError(`a histogram cannot be decoded (${why}); HdrHistogram V2, compressed, in Base64 is expected`);
  }
  throw new ReportError('a histogram is not of the JavaScript kind');
}

/** Of recorded values, with their counts, into bins of equal width on a logarithmic axis; values below 1 µs are in the first. */
export function binsOf(histogram: JsHistogram): Bins | null {
  const counts = new Map<number, number>();
  const values = histogram.recordedValuesIterator;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = values.next();
    const bin = Math.floor(Math.log10(Math.max(1, histogram.medianEquivalentValue(valueIteratedTo))) * BINS_PER_DECADE);
    counts.set(bin, (counts.get(bin) ?? 0) + countAtValueIteratedTo);
  }
  if (counts.size === 0) return null;
  const first = Math.min(...counts.keys());
  const length = Math.max(...counts.keys()) - first + 1;
  return {
    first,
    shares: Array.from({ length }, (_, index) => (counts.get(first + index) ?? 0) / histogram.totalCount),
  };
}

/** The steps end where less than one request is left above. */
function curveOf(histogram: JsHistogram): number[] {
  const steps = Math.floor(Math.log10(histogram.totalCount) * CURVE_STEPS) + 1;
  return Array.from({ length: steps }, (_, step) => {
    const quantile = 1 - 10 ** (-step / CURVE_STEPS);
    return step === 0 ? histogram.minNonZeroValue : histogram.getValueAtPercentile(100 * quantile);
  });
}
