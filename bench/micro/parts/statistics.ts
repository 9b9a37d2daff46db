import assert from 'node:assert/strict';
import { LatencyDetail } from '../../../src/telemetry/latency-detail.js';
import type { MeteredModel } from '../../../src/telemetry/metered-model.js';
import { MetricRegistry } from '../../../src/telemetry/metrics.js';
import { modelMetrics } from '../../../src/telemetry/model-metrics.js';
import { ModelStatistics } from '../../../src/telemetry/statistics.js';
import type { Part, Running } from '../part.js';

const MODELS = 100;

/** Latencies spread over three decades, batches of 1 to 64 rows: too many and too irregular for the processor to learn them. */
const SAMPLES = 1 << 16;
const latenciesUs = Float64Array.from({ length: SAMPLES }, () => 30 * 1000 ** Math.random());
const rows = Uint32Array.from({ length: SAMPLES }, () => 1 + Math.floor(64 * Math.random()));

/** Counting itself allocates nothing; V8 boxes a fraction that is handed to a function it did not inline (16 bytes each, gone with the next scavenge). */
function recording(statistics: ModelStatistics): Running {
  const step = (nth: number): number => {
    const us = latenciesUs[nth & (SAMPLES - 1)]!;
    statistics.requestSucceeded(1, us, us * 0.4, us * 0.01, us * 0.5, us * 0.02);
    statistics.batchExecuted(rows[nth & (SAMPLES - 1)]!, us * 0.01, us * 0.5, us * 0.02, 1_700_000_000_000);
    return us;
  };
  for (let nth = 0; nth < 100; nth++) step(nth);
  assert.equal(statistics.successes, 100);
  assert.equal(statistics.executions, 100);
  return { step };
}

function scraping(): Running {
  const models: MeteredModel[] = Array.from({ length: MODELS }, (_, index) => {
    const statistics = new ModelStatistics();
    for (const us of latenciesUs.subarray(0, 1000)) statistics.requestSucceeded(1, us, us / 2, us / 8, us / 4, us / 8);
    return { name: `model-${index}`, version: 1, tags: { team: 'a' }, statistics };
  });
  const registry = new MetricRegistry();
  registry.add(...modelMetrics(() => models, { latencyCounters: true }));
  assert.match(String(registry.render()), /model-99/);
  return { step: () => registry.render().length };
}

const detail = () => new LatencyDetail({ firstResponseBoundsMs: [100, 500, 2000, 5000], quantiles: [0.5, 0.99] });

export const parts: readonly Part[] = [
  {
    name: 'statistics/record',
    about: 'requestSucceeded and batchExecuted together',
    setUp: () => recording(new ModelStatistics()),
  },
  {
    name: 'statistics/record-detail',
    about: 'the same with the summaries and the histogram of --metrics-config',
    setUp: () => recording(new ModelStatistics(detail())),
  },
  { name: 'statistics/scrape-100', about: 'the metrics page of 100 models', setUp: scraping },
];
