import type { ModelCounters } from '../target/target.js';

/** Looks at the server while it is loaded: its statistics, its process, its page of metrics. */
export interface Observer {
  /** What it says now. Rejects only where the server cannot be asked at all. */
  look(): Promise<Look>;
}

/** What is known at one moment; the difference of two is what happened between them. */
export interface Look {
  /** The model first, then those that an ensemble is made of; null = the server keeps no statistics. */
  readonly counters: readonly ModelCounters[] | null;
  /** Of the server's process; null = it does not run on this machine. */
  readonly process: { readonly cpuSeconds: number; readonly memoryBytes: number } | null;
  /** Of the page of metrics since the look before, by name with labels; null = not collected. */
  readonly metrics: ReadonlyMap<string, MetricSamples> | null;
}

/** Values of one metric, added up so that those of several windows can be joined. */
export interface MetricSamples {
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}
