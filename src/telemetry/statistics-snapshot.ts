import type { DurationTotal } from './duration-total.js';
import type { ResponseStatistics } from './response-counters.js';

/** One element of `batch_stats`: the executions of one number of rows. */
export interface BatchStatistics {
  readonly batch_size: number;
  readonly compute_input: DurationTotal;
  readonly compute_infer: DurationTotal;
  readonly compute_output: DurationTotal;
}

/**
 * The statistics of a version in the protocol's terms, without its name and version: HTTP and gRPC carry the same. Every member is always
 * there, in this order (fact sheet 6); all numbers are integers.
 */
export interface StatisticsSnapshot {
  /** Wall clock of the last execution in milliseconds since the epoch; 0 = none yet. */
  readonly last_inference: number;
  /** Rows of successful requests. */
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: {
    readonly success: DurationTotal;
    readonly fail: DurationTotal;
    readonly queue: DurationTotal;
    readonly compute_input: DurationTotal;
    readonly compute_infer: DurationTotal;
    readonly compute_output: DurationTotal;
    readonly cache_hit: DurationTotal;
    readonly cache_miss: DurationTotal;
  };
  /** By the place of an answer among those to its request; empty where a model is not decoupled. */
  readonly response_stats: Readonly<Record<string, ResponseStatistics>>;
  /** Ascending by batch size. */
  readonly batch_stats: readonly BatchStatistics[];
  /** Empty: no backend reports it. */
  readonly memory_usage: readonly never[];
}
