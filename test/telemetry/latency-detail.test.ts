import { expect, test } from 'vitest';
import { firstResponseBoundsMs, LatencyDetail } from '../../src/telemetry/latency-detail.js';

const family = 'nv_inference_first_response_histogram_ms';

test('without a word of the configuration the bounds are those of Triton', () => {
  expect(firstResponseBoundsMs([])).toEqual([100, 500, 2000, 5000]);
  const other = { metric_identifier: { family: 'something_else' }, histogram_options: { buckets: [1] } };
  expect(firstResponseBoundsMs([other])).toEqual([100, 500, 2000, 5000]);
});

test('the configuration of a model changes them, in any order, twice, below zero or with infinity', () => {
  const buckets = [2.5, -1, 0, 1, 1, Number.POSITIVE_INFINITY];
  const control = { metric_identifier: { family }, histogram_options: { buckets } };
  expect(firstResponseBoundsMs([control])).toEqual([-1, 0, 1, 2.5]);
});

test('each of the two can be had without the other', () => {
  const histogram = new LatencyDetail({ firstResponseBoundsMs: [1], quantiles: null });
  const summaries = new LatencyDetail({ firstResponseBoundsMs: null, quantiles: [0.5] });
  for (const detail of [histogram, summaries]) {
    detail.firstResponse(1000);
    detail.requestEnded(1000, 2, 3, 4, 5);
  }
  expect([histogram.firstResponseMs?.countOf(0), histogram.summaries]).toEqual([1, null]);
  expect([summaries.firstResponseMs, summaries.summaries?.request.count]).toEqual([null, 1]);
});
