import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeHistograms, newHistogram } from '../../../../bench/load/measure/histogram.js';

const values = fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { maxLength: 50 });

function histogramOf(list: readonly number[]) {
  const histogram = newHistogram();
  for (const value of list) histogram.recordValue(value);
  return histogram;
}

test('keeps three digits of whatever is recorded, hours too', () => {
  fc.assert(
    fc.property(values, (list) => {
      const histogram = histogramOf(list);
      const sorted = list.toSorted((a, b) => a - b);
      for (const percentile of [1, 50, 90, 99.9, 100]) {
        const exact = sorted[Math.max(Math.ceil((percentile / 100) * sorted.length - 1e-9) - 1, 0)] ?? 0;
        const read = histogram.getValueAtPercentile(percentile);
        expect(read).toBeGreaterThanOrEqual(exact);
        expect(read).toBeLessThanOrEqual(exact * 1.001 + 1);
        if (exact < 2048) expect(read).toBe(exact);
      }
    }),
  );
});

test('merging gives what recording everything in one gives', () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 4 }), (lists) => {
      const merged = mergeHistograms(lists.map(histogramOf));
      const one = histogramOf(lists.flat());
      expect(merged.totalCount).toBe(one.totalCount);
      for (const percentile of [0, 10, 50, 99, 100]) {
        expect(merged.getValueAtPercentile(percentile)).toBe(one.getValueAtPercentile(percentile));
      }
      expect(merged.mean).toBeCloseTo(one.mean, 6);
    }),
    { numRuns: 30 },
  );
});
