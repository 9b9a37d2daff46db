import { BatchCounters, type BatchSize } from './batch-counters.js';
import { CLOSE_REASONS, type CloseReason } from './close-reasons.js';
import { CustomMetrics } from './custom-metrics.js';
import { durationTotal } from './duration-total.js';
import { type Buckets, Histogram, LATENCY_BUCKETS_US, ROW_BUCKETS } from './histogram.js';
import type { LatencyDetail } from './latency-detail.js';
import { RequestCounters } from './request-counters.js';
import { ResponseCounters, type ResponseOutcome } from './response-counters.js';
import type { BatchStatistics, StatisticsSnapshot } from './statistics-snapshot.js';

/** Why requests failed: the `reason` label of nv_inference_request_failure, all of which are always shown. */
export const FAILURE_REASONS = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

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
const PENDING = 13;
const HITS = 14;
const HIT_US = 15;
const MISSES = 16;
const MISS_US = 17;
const CLOSED = 18;
const REASONS = CLOSED + CLOSE_REASONS.length;
/** The sums of the metrics, in which Triton adds up whole microseconds per request. */
const WHOLE_US = REASONS + FAILURE_REASONS.length;
const WHOLE_HIT_US = WHOLE_US + 5;
const WHOLE_MISS_US = WHOLE_US + 6;
const REQUEST_HISTOGRAM = WHOLE_US + 7;
const QUEUE_HISTOGRAM = REQUEST_HISTOGRAM + Histogram.places(LATENCY_BUCKETS_US);
const COMPUTE_HISTOGRAM = QUEUE_HISTOGRAM + Histogram.places(LATENCY_BUCKETS_US);
const ROWS_HISTOGRAM = COMPUTE_HISTOGRAM + Histogram.places(LATENCY_BUCKETS_US);
const COUNTERS = ROWS_HISTOGRAM + Histogram.places(ROW_BUCKETS);

const US_PER_SECOND = 1e6;

/** The integer-microsecond sums of the duration counters. */
export interface DurationsUs {
  readonly request: number;
  readonly queue: number;
  readonly input: number;
  readonly infer: number;
  readonly output: number;
}

/** What the response cache did for a model; durations as in `DurationsUs`. */
export interface CacheTotals {
  readonly hits: number;
  readonly misses: number;
  readonly hitUs: number;
  readonly missUs: number;
}

/** One sample of `model_warmup`, on one instance: `executions` of it took `us` microseconds together. */
export interface WarmupTime {
  readonly instance: string;
  readonly sample: string;
  readonly executions: number;
  readonly us: number;
}

/**
 * The numbers of one loaded version of a model (fact sheet 6); they begin at 0 with each load. Written on the request path: no
 * allocation, nothing rendered. Times are microseconds, of a monotonic clock.
 */
export class ModelStatistics {
  readonly #counters = new Float64Array(COUNTERS);
  readonly #batches = new BatchCounters();
  readonly #responses = new ResponseCounters();
  /** Requests by their rows: the statistics of V1. Those that a cache answered have no time in a queue. */
  readonly requests = new RequestCounters();
  readonly requestSeconds = this.#histogram(REQUEST_HISTOGRAM, LATENCY_BUCKETS_US, US_PER_SECOND);
  readonly queueSeconds = this.#histogram(QUEUE_HISTOGRAM, LATENCY_BUCKETS_US, US_PER_SECOND);
  readonly computeSeconds = this.#histogram(COMPUTE_HISTOGRAM, LATENCY_BUCKETS_US, US_PER_SECOND);
  readonly batchRows = this.#histogram(ROWS_HISTOGRAM, ROW_BUCKETS, 1);
  /** What `--metrics-config` asks for besides the counters; null = nothing. */
  readonly detail: LatencyDetail | null;
  /** What the model's own code counts. */
  readonly custom = new CustomMetrics();
  /** How long loading took, in seconds. */
  loadSeconds = 0;
  /** Its answers are kept in the response cache. */
  isCached = false;
  /** By instance: its last warm-up. */
  readonly #warmups = new Map<string, readonly WarmupTime[]>();

  constructor(detail: LatencyDetail | null = null) {
    this.detail = detail;
  }

  /** One request that had its only answer, or several with `rows` together; the compute times are those of its whole batch. */
  requestSucceeded(
    rows: number,
    requestUs: number,
    queueUs: number,
    inputUs: number,
    inferUs: number,
    outputUs: number,
    requests = 1,
  ): void {
    for (let nth = 0; nth < requests; nth++) this.firstResponse(requestUs);
    this.requestEnded(rows, requestUs, queueUs, inputUs, inferUs, outputUs, requests);
  }

  /** A request has its first answer. */
  firstResponse(us: number): void {
    if (this.detail !== null) this.detail.firstResponse(us);
  }

  /** One answer of a decoupled model, the `index`-th to its request. */
  responded(index: number, outcome: ResponseOutcome, inferUs: number, outputUs: number): void {
    this.#responses.add(index, outcome, inferUs, outputUs);
  }

  /** One request that had all its answers, or several with `rows` together. */
  requestEnded(
    rows: number,
    requestUs: number,
    queueUs: number,
    inputUs: number,
    inferUs: number,
    outputUs: number,
    requests = 1,
  ): void {
    const c = this.#counters;
    c[SUCCESS]! += requests;
    c[SUCCESS_US]! += requests * requestUs;
    c[QUEUE_US]! += requests * queueUs;
    c[INPUT_US]! += requests * inputUs;
    c[INFER_US]! += requests * inferUs;
    c[OUTPUT_US]! += requests * outputUs;
    c[ROWS]! += rows;
    c[WHOLE_US]! += requests * Math.floor(requestUs);
    c[WHOLE_US + 1]! += requests * Math.floor(queueUs);
    c[WHOLE_US + 2]! += requests * Math.floor(inputUs);
    c[WHOLE_US + 3]! += requests * Math.floor(inferUs);
    c[WHOLE_US + 4]! += requests * Math.floor(outputUs);
    this.requests.ended(Math.round(rows / requests), requestUs, queueUs, inputUs + inferUs + outputUs, requests);
    this.requestSeconds.observe(requestUs, requests);
    this.queueSeconds.observe(queueUs, requests);
    if (this.detail === null) return;
    for (let nth = 0; nth < requests; nth++) this.detail.requestEnded(requestUs, queueUs, inputUs, inferUs, outputUs);
  }

  /** A request that the response cache answered: its lookup is all there was. */
  cacheHit(us: number, rows = 1): void {
    const c = this.#counters;
    const wholeUs = Math.floor(us);
    c[SUCCESS]!++;
    c[SUCCESS_US]! += us;
    c[WHOLE_US]! += wholeUs;
    c[HITS]!++;
    c[HIT_US]! += us;
    c[WHOLE_HIT_US]! += wholeUs;
    this.requests.ended(rows, us, 0, 0, 1);
    this.requestSeconds.observe(us);
    this.queueSeconds.observe(0);
    this.firstResponse(us);
  }

  /** A request that was executed, and its answer kept: looking it up and keeping it took `us`. */
  cacheMiss(us: number): void {
    const c = this.#counters;
    const wholeUs = Math.floor(us);
    c[SUCCESS_US]! += us;
    c[WHOLE_US]! += wholeUs;
    c[MISSES]!++;
    c[MISS_US]! += us;
    c[WHOLE_MISS_US]! += wholeUs;
  }

  /** Failed requests count nowhere else (fact sheet 13.2 item 22). @param rows of each */
  requestFailed(reason: FailureReason, requestUs: number, requests = 1, rows = 1): void {
    const c = this.#counters;
    c[FAIL]! += requests;
    c[FAIL_US]! += requests * requestUs;
    c[REASONS + FAILURE_REASONS.indexOf(reason)]! += requests;
    this.requests.failed(rows, requestUs, requests);
  }

  /** One execution of `rows` rows that ended well at `wallMs` since the epoch. */
  batchExecuted(rows: number, inputUs: number, inferUs: number, outputUs: number, wallMs: number): void {
    this.#counters[EXECUTIONS]!++;
    this.#counters[LAST_MS] = wallMs;
    this.#batches.add(rows, inputUs, inferUs, outputUs);
    this.batchRows.observe(rows);
    this.computeSeconds.observe(inputUs + inferUs + outputUs);
  }

  /** The samples of the model's warm-up have run on an instance that starts, or starts again. */
  warmedUp(instance: string, times: readonly WarmupTime[]): void {
    this.#warmups.set(instance, times);
  }

  /** Of all instances. */
  get warmups(): readonly WarmupTime[] {
    return [...this.#warmups.values()].flat();
  }

  /** Why a batch had no more rows. */
  batchClosed(reason: CloseReason): void {
    this.#counters[CLOSED + CLOSE_REASONS.indexOf(reason)]!++;
  }

  closedBatches(reason: CloseReason): number {
    return this.#counters[CLOSED + CLOSE_REASONS.indexOf(reason)]!;
  }

  /** Whether a batch was one contiguous range of its planes or had to be gathered. */
  batchPlaced(contiguous: boolean): void {
    this.#counters[contiguous ? CONTIGUOUS : GATHERED]!++;
  }

  /** +1 for a request that waits, -1 for one that began, was released or was refused; for schedulers that do not count themselves. */
  pending(delta: number): void {
    this.#counters[PENDING]! += delta;
  }

  get pendingRequests(): number {
    return this.#counters[PENDING]!;
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
    const at = (index: number) => this.#counters[WHOLE_US + index]!;
    return { request: at(0), queue: at(1), input: at(2), infer: at(3), output: at(4) };
  }

  get cacheTotals(): CacheTotals {
    const c = this.#counters;
    return { hits: c[HITS]!, misses: c[MISSES]!, hitUs: c[WHOLE_HIT_US]!, missUs: c[WHOLE_MISS_US]! };
  }

  snapshot(): StatisticsSnapshot {
    const c = this.#counters;
    const successes = c[SUCCESS]!;
    const executed = successes - c[HITS]!;
    return {
      last_inference: c[LAST_MS]!,
      inference_count: c[ROWS]!,
      execution_count: c[EXECUTIONS]!,
      inference_stats: {
        success: durationTotal(successes, c[SUCCESS_US]!),
        fail: durationTotal(c[FAIL]!, c[FAIL_US]!),
        queue: durationTotal(successes, c[QUEUE_US]!),
        compute_input: durationTotal(executed, c[INPUT_US]!),
        compute_infer: durationTotal(executed, c[INFER_US]!),
        compute_output: durationTotal(executed, c[OUTPUT_US]!),
        cache_hit: durationTotal(c[HITS]!, c[HIT_US]!),
        cache_miss: durationTotal(c[MISSES]!, c[MISS_US]!),
      },
      response_stats: this.#responses.snapshot(),
      batch_stats: this.#batches.sizes().map(batchStatistics),
      memory_usage: [],
    };
  }

  #histogram(start: number, buckets: Buckets, perUnit: number): Histogram {
    return new Histogram(buckets, perUnit, this.#counters.subarray(start, start + Histogram.places(buckets)));
  }
}

function batchStatistics({ rows, count, inputUs, inferUs, outputUs }: BatchSize): BatchStatistics {
  return {
    batch_size: rows,
    compute_input: durationTotal(count, inputUs),
    compute_infer: durationTotal(count, inferUs),
    compute_output: durationTotal(count, outputUs),
  };
}

export interface StatisticsEntry {
  readonly name: string;
  readonly version: string;
  readonly statistics: ModelStatistics;
}

/**
 * `{"model_stats":[...]}`, one entry per version; every member always there, because perf_analyzer reads each. `warmup_stats`, which is
 * our own, only where there was a warm-up.
 */
export function statisticsJson(entries: readonly StatisticsEntry[]): string {
  const model_stats = entries.map(({ name, version, statistics }) => ({
    name,
    version,
    ...statistics.snapshot(),
    ...(statistics.warmups.length > 0 && { warmup_stats: statistics.warmups.map(warmupStatistics) }),
  }));
  return JSON.stringify({ model_stats });
}

function warmupStatistics({ instance, sample, executions, us }: WarmupTime) {
  return { instance, sample, ...durationTotal(executions, us) };
}
