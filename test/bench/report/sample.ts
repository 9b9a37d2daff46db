import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Distribution, LoadReport, LoadResult, ServerShare, TimePoint } from '../../../bench/load/report.js';

export interface Sample {
  readonly label: string;
  readonly concurrencies: readonly number[];
  /** Inferences per second that the server reaches at most. */
  readonly capacity: number;
  /** Latency of a lone request. */
  readonly serviceUs: number;
  readonly seed: number;
}

const defaults: Sample = {
  label: 'resnet50',
  concurrencies: [1, 2, 4, 8, 16, 32, 64, 128],
  capacity: 4200,
  serviceUs: 1450,
  seed: 1,
};

const SECONDS = 15;
/** Latencies drawn for each load; counts are those of a full run. */
const DRAWN = 20_000;

/** A report as a run against a server with dynamic batching gives it: throughput saturates, latency then grows with the load. */
export function sampleReport(given: Partial<Sample> = {}): LoadReport {
  const sample = { ...defaults, ...given };
  const random = mulberry32(sample.seed);
  const results = sample.concurrencies.map((concurrency) => sampleResult(sample, concurrency, random));
  const within = results.filter(({ latency }) => latency.percentiles['99']! <= 25_000);
  const best =
    within.length === 0 ? null : results.indexOf(within.reduce((a, b) => (b.throughput > a.throughput ? b : a)));
  return {
    format: 'conch-bench-1',
    startedAt: '2026-03-14T09:26:53.589Z',
    label: sample.label,
    command:
      'conch bench -m resnet50 --concurrency-range 1:128 --latency-threshold 25 --percentile 99 --html report.html',
    server: { name: 'conch', version: '0.1.0', protocol: 'grpc', url: '127.0.0.1:8001' },
    model: { name: 'resnet50', version: '1', platform: 'onnxruntime_onnx', scheduler: 'dynamic', isDecoupled: false },
    batchSize: 1,
    percentile: 99,
    latencyLimitUs: 25_000,
    results,
    best,
    isPartial: false,
  };
}

function sampleResult({ capacity, serviceUs }: Sample, concurrency: number, random: () => number): LoadResult {
  // Asymptotic bounds of a closed system, rounded off at the corner; a little is lost where too much waits.
  const lone = concurrency / (serviceUs / 1e6);
  const throughput = (lone ** -2.6 + capacity ** -2.6) ** (-1 / 2.6) * (concurrency > 64 ? 0.97 : 1);
  const meanUs = (concurrency / throughput) * 1e6;
  const requests = Math.round(throughput * SECONDS);
  const histogram = latencies(meanUs, 0.1 + 0.12 * (meanUs / serviceUs) ** 0.3, requests, random);
  const latency = distribution(histogram);
  const failed = concurrency === 128 ? 37 : 0;
  return {
    load: { kind: 'closed', concurrency },
    name: String(concurrency),
    isStable: concurrency !== 128,
    seconds: SECONDS,
    requests,
    throughput,
    responsesPerSecond: throughput,
    sequencesPerSecond: 0,
    latency,
    firstResponse: null,
    betweenResponses: null,
    failures:
      failed === 0
        ? []
        : [{ kind: 'timeout', count: failed, message: 'the request timed out after 500 ms in the queue' }],
    lateness: null,
    client: { sendUs: 14, receiveUs: 9, cpuUs: 31, utilization: Math.min(0.9, throughput * 31e-6) },
    models: [serverShare(meanUs, serviceUs, requests, concurrency)],
    process: { cpuCores: Math.min(3.9, throughput / 1080), memoryBytes: 412 * 2 ** 20 + concurrency * 2 ** 18 },
    metrics: null,
    timeline: timeline(throughput, latency, failed, random),
  };
}

function serverShare(meanUs: number, serviceUs: number, requests: number, concurrency: number): ServerShare {
  const inferUs = serviceUs * (0.72 + 0.05 * Math.log2(concurrency));
  const [computeInputUs, computeOutputUs] = [38 + 4 * Math.log2(concurrency), 21];
  const queueUs = Math.max(6, meanUs - serviceUs * 1.12 - 0.05 * serviceUs * Math.log2(concurrency));
  return {
    model: 'resnet50',
    version: '1',
    inferences: requests,
    executions: Math.round(requests / Math.max(1, Math.min(8, concurrency / 2))),
    requests,
    failed: 0,
    requestUs: queueUs + computeInputUs + inferUs + computeOutputUs + 12,
    queueUs,
    computeInputUs,
    computeInferUs: inferUs,
    computeOutputUs,
    cacheHits: 0,
    cacheMisses: 0,
    cacheHitUs: 0,
    cacheMissUs: 0,
  };
}

/** Log-normal, and one request in 500 has met a pause. */
function latencies(meanUs: number, sigma: number, requests: number, random: () => number): Histogram {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60e6,
    numberOfSignificantValueDigits: 3,
  });
  const times = Math.max(1, Math.round(requests / DRAWN));
  for (let count = 0; count < requests; count += times) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const pause = random() < 0.002 ? 4000 + 16_000 * random() : 0;
    const value = meanUs * Math.exp(sigma * normal - sigma ** 2 / 2) + pause;
    histogram.recordValueWithCount(Math.round(value), Math.min(times, requests - count));
  }
  return histogram;
}

export function distribution(histogram: Histogram): Distribution {
  const percentiles = [50, 90, 95, 99, 99.9].map((percentile) => [
    String(percentile),
    histogram.getValueAtPercentile(percentile),
  ]);
  return {
    count: histogram.totalCount,
    mean: histogram.mean,
    deviation: histogram.stdDeviation,
    min: histogram.minNonZeroValue,
    max: histogram.maxValue,
    percentiles: Object.fromEntries(percentiles),
    histogram: encodeIntoCompressedBase64(histogram),
  };
}

function timeline(throughput: number, latency: Distribution, failed: number, random: () => number): TimePoint[] {
  const pieces = SECONDS * 10;
  return Array.from({ length: pieces }, (_, piece) => {
    const slow = random() < 0.03 ? 0.85 : 1;
    return {
      atSeconds: piece / 10,
      requestsPerSecond: throughput * slow * (0.97 + 0.06 * random()),
      failuresPerSecond: failed > 0 && piece >= 90 && piece < 100 ? failed : 0,
      meanUs: (latency.mean / slow) * (0.97 + 0.06 * random()),
      maxUs: latency.percentiles['99']! + (latency.max - latency.percentiles['99']!) * random() ** 3,
    };
  });
}

/** No request had a good answer; no timeline, no statistics. */
export function failedResult(concurrency: number): LoadResult {
  const none: Distribution = { count: 0, mean: 0, deviation: 0, min: 0, max: 0, percentiles: {}, histogram: '' };
  return {
    ...sampleReport({ concurrencies: [concurrency] }).results[0]!,
    isStable: false,
    requests: 0,
    throughput: 0,
    responsesPerSecond: 0,
    latency: none,
    failures: [
      { kind: 'unavailable', count: 1200, message: 'connect ECONNREFUSED </script><img src=x onerror=alert(1)>' },
    ],
    models: [],
    process: null,
    timeline: [],
  };
}

/** By Tommy Ettinger; public domain. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
