import { Histogram, LATENCY_BOUNDS_SECONDS, ROW_BOUNDS } from './histogram.js';

/** Why requests failed: the `reason` label of nv_inference_request_failure, all of which are always shown. */
export const FAILURE_REASONS = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** A number of events and how long they took together, in nanoseconds; written with the two names of the protocol. */
export interface Duration {
  readonly count: number;
  readonly ns: number;
}

/** Places in the counters. Times are microseconds with a fraction. */
const SUCCESS = 0;
const SUCCESS_US = 1;
const FAIL = 2;
const FAIL_US = 3;
const QUEUE_US = 4;
const INPUT_US = 5;
const INFER_US = 6;
const OUTPUT_US = 7;
const ROWS = 8;
const EXECUTIONS = 9;
const LAST_MS = 10;
const CONTIGUOUS = 11;
const GATHERED = 12;
const REASONS = 13;
/** Triton adds up whole microseconds per request in its metrics. */
const METRIC_US = REASONS + FAILURE_REASONS.length;
const COUNTERS = METRIC_US + 5;

/** Executions of one batch size. */
interface BatchCounters {
  count: number;
  inputUs: number;
  inferUs: number;
  outputUs: number;
}

/** The integer-microsecond sums of the duration counters, in the order of the metrics. */
export interface DurationsUs {
  readonly request: number;
  readonly queue: number;
  readonly input: number;
  readonly infer: number;
  readonly output: number;
}

/**
 * The numbers of one loaded version of a model (fact sheet 6); they begin at 0 with each load. Written on the request path: no
 * allocation, nothing rendered.
 */
export class ModelStatistics {
  readonly #counters = new Float64Array(COUNTERS);
  readonly #batches = new Map<number, BatchCounters>();
  readonly requestSeconds = new Histogram(LATENCY_BOUNDS_SECONDS);
  readonly queueSeconds = new Histogram(LATENCY_BOUNDS_SECONDS);
  readonly computeSeconds = new Histogram(LATENCY_BOUNDS_SECONDS);
  readonly batchRows = new Histogram(ROW_BOUNDS);
  /** How long loading took, in seconds. */
  loadSeconds = 0;

  requestSucceeded(
    rows: number,
    requestUs: number,
    queueUs: number,
    inputUs: number,
    inferUs: number,
    outputUs: number,
  ): void {
    const c = this.#counters;
    c[SUCCESS]!++;
    c[SUCCESS_US]! += requestUs;
    c[QUEUE_US]! += queueUs;
    c[INPUT_US]! += inputUs;
    c[INFER_US]! += inferUs;
    c[OUTPUT_US]! += outputUs;
    c[ROWS]! += rows;
    c[METRIC_US]! += Math.floor(requestUs);
    c[METRIC_US + 1]! += Math.floor(queueUs);
    c[METRIC_US + 2]! += Math.floor(inputUs);
    c[METRIC_US + 3]! += Math.floor(inferUs);
    c[METRIC_US + 4]! += Math.floor(outputUs);
    this.requestSeconds.observe(requestUs / 1e6);
    this.queueSeconds.observe(queueUs / 1e6);
  }

  /** Failed requests count nowhere else (fact sheet 13.2 item 22). */
  requestFailed(reason: FailureReason, requestUs: number): void {
    const c = this.#counters;
    c[FAIL]!++;
    c[FAIL_US]! += requestUs;
    c[REASONS + FAILURE_REASONS.indexOf(reason)]!++;
  }

  /** One execution of `rows` rows that ended well at `wallMs` since the epoch. */
  batchExecuted(rows: number, inputUs: number, inferUs: number, outputUs: number, wallMs: number): void {
    this.#counters[EXECUTIONS]!++;
    this.#counters[LAST_MS] = wallMs;
    const batch = this.#batch(rows);
    batch.count++;
    batch.inputUs += inputUs;
    batch.inferUs += inferUs;
    batch.outputUs += outputUs;
    this.batchRows.observe(rows);
    this.computeSeconds.observe((inputUs + inferUs + outputUs) / 1e6);
  }

  /** Whether a batch was one contiguous range of its planes or had to be gathered. */
  batchPlaced(contiguous: boolean): void {
    this.#counters[contiguous ? CONTIGUOUS : GATHERED]!++;
  }

  get successes(): number {
    return this.#counters[SUCCESS]!;
  }

  /** Rows of successful requests. */
  get rows(): number {
    return this.#counters[ROWS]!;
  }

  get executions(): number {
    return this.#counters[EXECUTIONS]!;
  }

  get contiguousBatches(): number {
    return this.#counters[CONTIGUOUS]!;
  }

  get gatheredBatches(): number {
    return this.#counters[GATHERED]!;
  }

  failures(reason: FailureReason): number {
    return this.#counters[REASONS + FAILURE_REASONS.indexOf(reason)]!;
  }

  get durationsUs(): DurationsUs {
    const at = (index: number) => this.#counters[METRIC_US + index]!;
    return { request: at(0), queue: at(1), input: at(2), infer: at(3), output: at(4) };
  }

  /** The statistics object of the protocol, without name and version; keys in the order of the sheet. */
  snapshot() {
    const c = this.#counters;
    const successes = c[SUCCESS]!;
    const none = { count: 0, ns: 0 };
    return {
      last_inference: c[LAST_MS]!,
      inference_count: c[ROWS]!,
      execution_count: c[EXECUTIONS]!,
      inference_stats: {
        success: duration(successes, c[SUCCESS_US]!),
        fail: duration(c[FAIL]!, c[FAIL_US]!),
        queue: duration(successes, c[QUEUE_US]!),
        compute_input: duration(successes, c[INPUT_US]!),
        compute_infer: duration(successes, c[INFER_US]!),
        compute_output: duration(successes, c[OUTPUT_US]!),
        cache_hit: none,
        cache_miss: none,
      },
      response_stats: {},
      batch_stats: this.#batchStats(),
      memory_usage: [],
    };
  }

  #batch(rows: number): BatchCounters {
    let batch = this.#batches.get(rows);
    if (batch === undefined) {
      batch = { count: 0, inputUs: 0, inferUs: 0, outputUs: 0 };
      this.#batches.set(rows, batch);
    }
    return batch;
  }

  #batchStats() {
    const sizes = [...this.#batches.entries()].sort(([a], [b]) => a - b);
    return sizes.map(([batch_size, batch]) => ({
      batch_size,
      compute_input: duration(batch.count, batch.inputUs),
      compute_infer: duration(batch.count, batch.inferUs),
      compute_output: duration(batch.count, batch.outputUs),
    }));
  }
}

function duration(count: number, us: number): Duration {
  return { count, ns: Math.round(us * 1000) };
}

export interface StatisticsEntry {
  readonly name: string;
  readonly version: string;
  readonly statistics: ModelStatistics;
}

/** `{"model_stats":[...]}`, one entry per version; every member always there, because perf_analyzer reads each. */
export function statisticsJson(entries: readonly StatisticsEntry[]): string {
  const model_stats = entries.map(({ name, version, statistics }) => ({ name, version, ...statistics.snapshot() }));
  return JSON.stringify({ model_stats });
}
