import { LatencyDetail } from '../src/telemetry/latency-detail.js';
import { MetricRegistry } from '../src/telemetry/metrics.js';
import { type MeteredModel, modelMetrics } from '../src/telemetry/model-metrics.js';
import { ModelStatistics } from '../src/telemetry/statistics.js';

/**
 * What counting costs: nanoseconds of one `requestSucceeded` and one `batchExecuted` together, without and with the summaries and the
 * histogram of `--metrics-config`; and milliseconds of a scrape of 100 models. `node dist/bench/statistics.bench.js`. Counting itself
 * allocates nothing; V8 boxes a fraction that is handed to a function it did not inline (16 bytes each, gone with the next scavenge).
 */
const ROUND = 1_000_000;
const ROUNDS = 15;
const MODELS = 100;

/** Latencies spread over three decades, batches of 1 to 64 rows: too many and too irregular for the processor to learn them. */
const SAMPLES = 1 << 16;
const latenciesUs = Float64Array.from({ length: SAMPLES }, () => 30 * 1000 ** Math.random());
const rows = Uint32Array.from({ length: SAMPLES }, () => 1 + Math.floor(64 * Math.random()));

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

function elapsedNs(step: () => void): number {
  const begin = process.hrtime.bigint();
  step();
  return Number(process.hrtime.bigint() - begin);
}

function countRound(statistics: ModelStatistics): void {
  for (let index = 0; index < ROUND; index++) {
    const us = latenciesUs[index & (SAMPLES - 1)]!;
    statistics.requestSucceeded(1, us, us * 0.4, us * 0.01, us * 0.5, us * 0.02);
    statistics.batchExecuted(rows[index & (SAMPLES - 1)]!, us * 0.01, us * 0.5, us * 0.02, 1_700_000_000_000);
  }
}

function countingNs(statistics: ModelStatistics): number {
  return median(Array.from({ length: ROUNDS }, () => elapsedNs(() => countRound(statistics)) / ROUND));
}

function scrapeMs(): number {
  const models: MeteredModel[] = Array.from({ length: MODELS }, (_, index) => {
    const statistics = new ModelStatistics();
    for (const us of latenciesUs.subarray(0, 1000)) statistics.requestSucceeded(1, us, us / 2, us / 8, us / 4, us / 8);
    return { name: `model-${index}`, version: 1, tags: { team: 'a' }, statistics };
  });
  const registry = new MetricRegistry();
  registry.add(...modelMetrics(() => models, { latencyCounters: true }));
  return median(Array.from({ length: ROUNDS }, () => elapsedNs(() => registry.render()) / 1e6));
}

const detail = new LatencyDetail({ firstResponseBoundsMs: [100, 500, 2000, 5000], quantiles: [0.5, 0.99] });
console.log(`requestSucceeded + batchExecuted      ${countingNs(new ModelStatistics()).toFixed(1)} ns`);
console.log(`the same with summaries and histogram ${countingNs(new ModelStatistics(detail)).toFixed(1)} ns`);
console.log(`scrape of ${MODELS} models                  ${scrapeMs().toFixed(1)} ms`);
