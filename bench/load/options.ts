import type { ParameterValue } from './data/data-set.js';
import type { TlsSettings } from './wires/wire.js';

/** What is asked of a run; those of `conch bench` by the names of its flags. Everything but `model` has a default (`defaultOptions`). */
export interface LoadOptions {
  readonly model: string;
  /** '' = the latest. */
  readonly modelVersion: string;
  readonly label: string;
  readonly protocol: 'http' | 'grpc' | 'ws';
  /** gRPC only: requests go over ModelStreamInfer. */
  readonly streaming: boolean;
  /** `host:port`, or a URL; '' = localhost with the protocol's usual port. */
  readonly url: string;
  readonly tls: TlsSettings | null;
  readonly headers: readonly (readonly [string, string])[];
  /** Not over a network: the server's core runs in this process, on these folders; null = over the network. */
  readonly inProcess: InProcessOptions | null;
  readonly batchSize: number;
  readonly requestParameters: Readonly<Record<string, ParameterValue>>;
  readonly loads: LoadPlan;
  readonly sequences: SequenceOptions;
  readonly data: DataOptions;
  readonly measurement: MeasurementOptions;
  /** Threads that send. 0 = as many as pays here. */
  readonly threads: number;
  /**
   * gRPC and WebSocket: connections that share the requests; 0 = as many as pays. HTTP: with an open load so many at most; 0 = 128.
   */
  readonly connections: number;
  readonly requestTimeoutMs: number;
  readonly metrics: { readonly url: string; readonly intervalMs: number } | null;
  readonly trace: Readonly<Record<string, string | readonly string[]>> | null;
}

export interface InProcessOptions {
  readonly modelRepository: readonly string[];
  /** Loaded besides the model, for models that call others; `*` = all there are. Models of an ensemble's steps are loaded anyway. */
  readonly loadModels: readonly string[];
}

export interface Range {
  readonly start: number;
  /** 0 = until the latency limit is passed. */
  readonly end: number;
  readonly step: number;
}

/** Which loads are measured. */
export type LoadPlan =
  | { readonly kind: 'concurrency'; readonly range: Range; readonly search: 'linear' | 'binary' }
  | {
      readonly kind: 'rate';
      readonly range: Range;
      readonly search: 'linear' | 'binary';
      readonly distribution: 'constant' | 'poisson';
    }
  | { readonly kind: 'intervals'; readonly file: string }
  | { readonly kind: 'profile'; readonly file: string; readonly distribution: 'constant' | 'poisson' }
  /** Concurrency grows by `step` whenever each of the last added requests has had `period` answers. */
  | { readonly kind: 'periodic'; readonly range: Range; readonly period: number };

export interface SequenceOptions {
  /** Of open loads: sequences that are alive at a time. */
  readonly count: number;
  /** Steps; null = as many as their streams have where data comes from files, 20 else. */
  readonly length: number | null;
  /** Lengths differ by so much of it, either way; those of streams do not. */
  readonly lengthVariationPercent: number;
  readonly idRange: { readonly first: number; readonly last: number };
}

export interface DataOptions {
  readonly source: 'random' | 'zero' | { readonly paths: readonly string[] };
  /** By input, without the batch dimension. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly stringLength: number;
  /** null = random strings. */
  readonly stringData: string | null;
  readonly seed: number;
  readonly inputFormat: 'binary' | 'json';
  readonly outputFormat: 'binary' | 'json';
  readonly sharedMemory: 'none' | 'system';
  readonly outputRegionBytes: number;
}

export interface MeasurementOptions {
  readonly mode: 'time_windows' | 'count_windows';
  readonly intervalMs: number;
  /** Of `count_windows`: a window ends when it has so many. */
  readonly windowRequests: number;
  /** One window with exactly so many requests; 0 = windows until they are stable. */
  readonly requestCount: number;
  /** Before the first window. */
  readonly warmupRequests: number;
  readonly warmupMs: number;
  /** Stable: throughput and latency of three windows in a row are within so much of their mean. */
  readonly stabilityPercent: number;
  readonly maxTrials: number;
  /** null = the average. */
  readonly percentile: number | null;
  /** null = none. */
  readonly latencyLimitUs: number | null;
}
