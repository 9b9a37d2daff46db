/** What the page of a load test is drawn from: made in Node.js, read in the browser. Times in microseconds. */
export interface BenchPageData {
  readonly axis: LoadAxis;
  /** One curve each; the first is the base of the ratios. */
  readonly reports: readonly PageReport[];
  /** Percentiles that every load has, as `50`, `99.9`; the smallest first. */
  readonly percentiles: readonly string[];
  /** The first that one of the reports has; null = none. */
  readonly latencyLimitUs: number | null;
  /** null = there is one report only. */
  readonly comparison: Comparison | null;
}

/** Where loads lie on the x axis. */
export interface LoadAxis {
  readonly title: string;
  /** `names` = loads that have no common number lie side by side. */
  readonly kind: 'linear' | 'log' | 'names';
  /** All loads of all reports, ascending. */
  readonly places: readonly { readonly x: number; readonly name: string }[];
}

export interface PageReport {
  readonly label: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Ascending by `x`. */
  readonly points: readonly LoadPoint[];
  /** Of `points`; null = there is none. */
  readonly knee: number | null;
  readonly best: number | null;
  readonly isPartial: boolean;
}

/** One load and what came of it. */
export interface LoadPoint {
  readonly x: number;
  readonly name: string;
  readonly isStable: boolean;
  readonly seconds: number;
  readonly requests: number;
  readonly throughput: number;
  readonly responsesPerSecond: number;
  readonly sequencesPerSecond: number;
  /** null = no request had a good answer. */
  readonly latency: PageLatency | null;
  readonly firstResponse: PageLatency | null;
  readonly betweenResponses: PageLatency | null;
  readonly failures: readonly { readonly kind: string; readonly count: number; readonly message: string }[];
  readonly late: number | null;
  readonly client: { readonly cpuUs: number; readonly utilization: number };
  readonly process: { readonly cpuCores: number; readonly memoryBytes: number } | null;
  /** Inferences for each execution of the model; null = the server has no statistics. */
  readonly meanBatch: number | null;
  /** What the mean latency consists of, in the order in which a request meets it; empty = no request had a good answer. */
  readonly parts: readonly TimePart[];
  readonly timeline: readonly {
    readonly atSeconds: number;
    readonly requestsPerSecond: number;
    readonly failuresPerSecond: number;
    readonly meanUs: number;
    readonly maxUs: number;
  }[];
}

export interface PageLatency {
  readonly mean: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  readonly percentiles: Readonly<Record<string, number>>;
  /** Shares of the requests in bins of equal width on a logarithmic axis; null = the histogram was not kept. */
  readonly bins: Bins | null;
  /** Latency at 1/(1-q) = 10^(i / `CURVE_STEPS`), i from 0, as far as there are requests; empty = as with `bins`. */
  readonly curve: readonly number[];
}

export interface Bins {
  /** Bin i of `shares` covers 10^((first + i) / `BINS_PER_DECADE`) to the next, in microseconds. */
  readonly first: number;
  readonly shares: readonly number[];
}

export const BINS_PER_DECADE = 25;
export const CURVE_STEPS = 20;

export type PartName = 'send' | 'network' | 'queue' | 'input' | 'infer' | 'output' | 'other' | 'receive';

export interface TimePart {
  readonly part: PartName;
  readonly us: number;
}

/** Loads of equal name side by side, as ratios to the first report. */
export interface Comparison {
  readonly labels: readonly string[];
  readonly rows: readonly ComparedLoad[];
  readonly notes: readonly string[];
}

export interface ComparedLoad {
  readonly name: string;
  /** By report; null = it has no such load. */
  readonly cells: readonly (ComparedCell | null)[];
}

/** null = one of both numbers is not there or 0. */
export interface ComparedCell {
  readonly throughput: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly throughputRatio: number | null;
  readonly p50Ratio: number | null;
  readonly p99Ratio: number | null;
}
