import type { Load } from './load.js';
import type { Scheduler } from './target/target.js';

/** Everything a run found out; what `--json` writes, and `conch bench compare` and the page read. Times in microseconds, memory in bytes. */
export interface LoadReport {
  /** Changes where a reader of older reports would misread it. */
  readonly format: 'conch-bench-1';
  /** ISO 8601. */
  readonly startedAt: string;
  /** For legends; the model's name unless `--label` says otherwise. */
  readonly label: string;
  readonly command: string;
  readonly server: ServerFacts;
  readonly model: ModelFacts;
  readonly batchSize: number;
  /** The percentile that decides about stability and limits; null = the average. */
  readonly percentile: number | null;
  /** Of `--latency-threshold`; null = none. */
  readonly latencyLimitUs: number | null;
  /** In the order in which they were measured. */
  readonly results: readonly LoadResult[];
  /** Of the best of `results` within the limit; null = none is. */
  readonly best: number | null;
  /** Ended by the user before all was measured. */
  readonly isPartial: boolean;
}

export interface ServerFacts {
  readonly name: string;
  readonly version: string;
  /** `http`, `grpc`, `grpc-stream`, `ws` or `in-process`. */
  readonly protocol: string;
  /** '' = in process. */
  readonly url: string;
}

export interface ModelFacts {
  readonly name: string;
  readonly version: string;
  readonly platform: string;
  readonly scheduler: Scheduler;
  readonly isDecoupled: boolean;
}

/** One load and what came of it. */
export interface LoadResult {
  readonly load: Load;
  /** As tables call it: `8`, `1000/s`, `profile.json`. */
  readonly name: string;
  /** Throughput and latency of the last three windows agreed; true where one window was asked for. */
  readonly isStable: boolean;
  /** Of the windows that count. */
  readonly seconds: number;
  /** With a good answer. */
  readonly requests: number;
  /** Inferences per second: requests times batch size. */
  readonly throughput: number;
  readonly responsesPerSecond: number;
  readonly sequencesPerSecond: number;
  readonly latency: Distribution;
  /** Decoupled models; null = it is not. */
  readonly firstResponse: Distribution | null;
  readonly betweenResponses: Distribution | null;
  readonly failures: readonly { readonly kind: string; readonly count: number; readonly message: string }[];
  /** Open loads; null = a closed one. */
  readonly lateness: { readonly late: number; readonly backlog: number; readonly delay: Distribution } | null;
  readonly client: ClientShare;
  /** What the server says of the same time; null = it does not. The second and further: models that an ensemble is made of. */
  readonly models: readonly ServerShare[];
  /** Of the server's process, where it runs on this machine. */
  readonly process: { readonly cpuCores: number; readonly memoryBytes: number } | null;
  /** Means over the samples of `--collect-metrics`, by name with labels; null = not collected. */
  readonly metrics: Readonly<Record<string, { readonly mean: number; readonly max: number }>> | null;
  readonly timeline: readonly TimePoint[];
}

export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  /** By percentile: 50, 90, 95, 99, 99.9, and the one asked for. */
  readonly percentiles: Readonly<Record<string, number>>;
  /** HdrHistogram V2, compressed, Base64. */
  readonly histogram: string;
}

export interface ClientShare {
  /** Means for each request. */
  readonly sendUs: number;
  readonly receiveUs: number;
  /** CPU time of the generators for each request; and the busiest part of their time, 1 = a whole core for each of their threads. */
  readonly cpuUs: number;
  readonly utilization: number;
}

/** Means for each inference or execution, from the statistics of the model. */
export interface ServerShare {
  readonly model: string;
  readonly version: string;
  readonly inferences: number;
  readonly executions: number;
  readonly requests: number;
  readonly failed: number;
  /** Means for each successful request. */
  readonly requestUs: number;
  readonly queueUs: number;
  readonly computeInputUs: number;
  readonly computeInferUs: number;
  readonly computeOutputUs: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cacheHitUs: number;
  readonly cacheMissUs: number;
}

/** A piece of the time that was measured. */
export interface TimePoint {
  /** Its beginning, in seconds after that of the first. */
  readonly atSeconds: number;
  readonly requestsPerSecond: number;
  readonly failuresPerSecond: number;
  readonly meanUs: number;
  readonly maxUs: number;
}
