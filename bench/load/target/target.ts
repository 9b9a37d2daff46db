import type { TensorData } from '../data/data-set.js';

/** What a server says about itself and its models, whatever the protocol. */
export interface Target {
  /** Throws an error that names the URL where it cannot be reached. */
  server(): Promise<{ readonly name: string; readonly version: string; readonly extensions: readonly string[] }>;
  /** Metadata and configuration; `version` '' = the latest. */
  model(name: string, version: string): Promise<TargetModel>;
  /** Resolves when the model is ready; throws when it is not within `timeoutMs`. */
  awaitReady(name: string, version: string, timeoutMs: number): Promise<void>;
  /** Cumulative; null = the server keeps none (no extension `statistics`). */
  statistics(name: string, version: string): Promise<readonly ModelCounters[] | null>;
  registerRegion(name: string, key: string, bytes: number): Promise<void>;
  unregisterRegion(name: string): Promise<void>;
  /** Of `--trace-*`. */
  setTrace(model: string, settings: Readonly<Record<string, string | readonly string[]>>): Promise<void>;
  close(): void | Promise<void>;
}

/** `iterative`: each request is a sequence of its own, of which a client says nothing. */
export type Scheduler = 'default' | 'dynamic' | 'sequence' | 'iterative' | 'ensemble';

export interface TargetTensor {
  readonly name: string;
  readonly datatype: string;
  /** As in the metadata: with -1 for the batch dimension where the model has one. */
  readonly shape: readonly number[];
  readonly isOptional: boolean;
}

export interface TargetModel {
  readonly name: string;
  /** The one that answered. */
  readonly version: string;
  readonly platform: string;
  /** 0 = shapes have no batch dimension. */
  readonly maxBatchSize: number;
  readonly inputs: readonly TargetTensor[];
  readonly outputs: readonly TargetTensor[];
  readonly scheduler: Scheduler;
  readonly isDecoupled: boolean;
  readonly usesCache: boolean;
  /** Models of the steps, and theirs in turn, each once; with version '' = the latest. */
  readonly composing: readonly { readonly name: string; readonly version: string }[];
}

/** Counts, and sums in nanoseconds, since the server began. */
export interface ModelCounters {
  readonly name: string;
  readonly version: string;
  readonly inferences: number;
  readonly executions: number;
  readonly success: CounterPair;
  readonly fail: CounterPair;
  readonly queue: CounterPair;
  readonly computeInput: CounterPair;
  readonly computeInfer: CounterPair;
  readonly computeOutput: CounterPair;
  readonly cacheHit: CounterPair;
  readonly cacheMiss: CounterPair;
}

export interface CounterPair {
  readonly count: number;
  readonly ns: number;
}

/** Tensors in client shared memory: named instead of sent. */
export interface RegionPlace {
  readonly region: string;
  readonly offset: number;
  readonly bytes: number;
}

export type TensorSource = TensorData | (Omit<TensorData, 'bytes'> & { readonly place: RegionPlace });
