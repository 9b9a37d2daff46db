import type { Load } from '../../../bench/load/load.js';
import { buildResult } from '../../../bench/load/measure/build-result.js';
import type { LoadReport, LoadResult, ServerShare } from '../../../bench/load/report.js';
import { histogramOf, windowOf } from './windows.js';

/** 1000 requests in a second, 205 µs each. */
export function resultOf(
  given: Partial<LoadResult> & { readonly load?: Load } = {},
  percentile: number | null = null,
): LoadResult {
  const load = given.load ?? { kind: 'closed', concurrency: 1 };
  const name = load.kind === 'closed' ? String(load.concurrency) : '1000/s';
  const subject = { load, name, batchSize: 1, isDecoupled: false, percentile };
  const latencyUs = histogramOf(...new Array<number>(1000).fill(205));
  const window = windowOf({ requests: 1000, responses: 1000, latencyUs, sendUs: 31_000, receiveUs: 4500, cpuUs: 1000 });
  const look = { counters: null, process: null, metrics: null };
  return { ...buildResult(subject, { windows: [window], looks: [look, look], isStable: true }), ...given };
}

export function shareOf(given: Partial<ServerShare> = {}): ServerShare {
  return {
    model: 'simple',
    version: '1',
    inferences: 1000,
    executions: 250,
    requests: 1000,
    failed: 0,
    requestUs: 80,
    queueUs: 43.9,
    computeInputUs: 1.2,
    computeInferUs: 13.5,
    computeOutputUs: 0.4,
    cacheHits: 0,
    cacheMisses: 0,
    cacheHitUs: 0,
    cacheMissUs: 0,
    ...given,
  };
}

export function reportOf(results: readonly LoadResult[], given: Partial<LoadReport> = {}): LoadReport {
  return {
    format: 'conch-bench-1',
    startedAt: '2026-01-02T03:04:05.000Z',
    label: 'simple',
    command: 'conch bench -m simple',
    server: { name: 'conch', version: '0.1.0', protocol: 'http', url: 'localhost:8000' },
    model: { name: 'simple', version: '1', platform: 'onnxruntime_onnx', scheduler: 'dynamic', isDecoupled: false },
    batchSize: 1,
    percentile: null,
    latencyLimitUs: null,
    results,
    best: results.length === 0 ? null : 0,
    isPartial: false,
    ...given,
  };
}
