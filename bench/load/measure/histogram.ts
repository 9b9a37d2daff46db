import { build, type Histogram } from 'hdr-histogram-js';

/** Before a histogram grows by itself: two seconds. */
const FIRST_HIGHEST_US = 2 ** 21 - 1;

/**
 * Of whole microseconds, with three significant digits: exact to 2 ms, then within 0.1 %. `recordValue` takes whole numbers from 0 on
 * (a fraction would be cut off); what is recorded is never refused, as it grows. Some 100 KB; recording allocates nothing but to grow.
 */
export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: FIRST_HIGHEST_US,
    numberOfSignificantValueDigits: 3,
    // Counts as floating-point numbers: exact to 2^53, and the cheapest to add to.
    bitBucketSize: 64,
    autoResize: true,
    useWebAssembly: false,
  });
}

/** A new one with the values of all; they stay as they are. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const merged = newHistogram();
  for (const histogram of histograms) {
    // Adding an empty one of another size would record a zero.
    if (histogram.totalCount > 0) merged.add(histogram);
  }
  return merged;
}
