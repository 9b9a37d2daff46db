import type { LoadOptions } from '../load/options.js';

/** What `conch tune` is asked for. */
export interface TuneOptions {
  readonly model: string;
  /** A folder of this machine. */
  readonly modelRepository: string;
  /** What may be tried; null = what is usual for the model and the machine. Ascending. */
  readonly bounds: TuneBounds;
  readonly protocol: LoadOptions['protocol'];
  readonly streaming: boolean;
  readonly batchSize: number;
  readonly data: LoadOptions['data'];
  readonly sequences: LoadOptions['sequences'];
  /** The one that decides; null = the average. */
  readonly percentile: number | null;
  readonly latencyLimitUs: number | null;
  readonly memoryLimitBytes: number | null;
  /** For the search; 0 = until it ends by itself. */
  readonly timeBudgetSeconds: number;
  /** Of one window. */
  readonly intervalMs: number;
  /** How many configurations are confirmed and shown. */
  readonly best: number;
  /** Further flags of `conch serve`. */
  readonly serverFlags: readonly string[];
}

export interface TuneBounds {
  readonly instances: readonly number[] | null;
  readonly maxBatchSize: readonly number[] | null;
  readonly queueDelayUs: readonly number[] | null;
  readonly threads: readonly number[] | null;
  readonly concurrency: readonly number[] | null;
}
