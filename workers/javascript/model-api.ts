/**
 * What a model written in JavaScript exports, and what it is given: `import type { Batch, ModelContext } from 'conch-server/model'`.
 * The module `1/model.js` exports `execute` and whatever else of `JavaScriptModel` it needs.
 */
export interface JavaScriptModel {
  /**
   * Completes the model's own configuration, before it is loaded: gets what is written, as the config endpoint shows it, and returns the
   * fields that it adds or changes. It is called in a thread of its own, and never where the server must not complete configurations.
   */
  configure?(config: ModelConfig): Partial<ModelConfig> | undefined | Promise<Partial<ModelConfig> | undefined>;
  /** Called once for each instance, before it serves. What it throws is why the model does not load. */
  initialize?(context: ModelContext): void | Promise<void>;
  /**
   * Answers all requests of a batch. An instance runs one batch at a time: the next one comes when the result has resolved. What it throws
   * fails the requests that are not answered.
   */
  execute(batch: Batch): void | Promise<void>;
  /** Called once for each instance, when it has run its last batch. */
  finalize?(): void | Promise<void>;
}

export type DataType =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES'
  | 'BF16';

/** What the elements of a tensor are kept in. FP16 and BF16 are their bits, a BOOL is 0 or 1, an element of BYTES its bytes. */
export interface DataOf {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: readonly Uint8Array[];
  BF16: Uint16Array;
}

/** Whose elements are numbers. */
export type NumberType = Exclude<DataType, 'BYTES' | 'INT64' | 'UINT64'>;

/** What is written to a tensor of BYTES: texts are written as UTF-8. */
export type BytesValue = string | Uint8Array;

/** A tensor that is read. */
export interface Tensor<Type extends DataType = DataType> {
  readonly name: string;
  readonly datatype: Type;
  /** With the batch dimension, where the model batches. */
  readonly shape: readonly number[];
  /** A view of memory that is shared with other threads: valid until the request is answered, and not to be written. */
  readonly data: DataOf[Type];
  /** The elements of BYTES, read as UTF-8. */
  strings(): string[];
}

/** A value of a parameter; `bigint` = an integer beyond 2^53. */
export type ParameterValue = string | number | bigint | boolean;

/** What an error is to clients: a status of HTTP and of gRPC follows from it. `INTERNAL` where nothing is said. */
export type ErrorCode =
  | 'UNKNOWN'
  | 'INTERNAL'
  | 'NOT_FOUND'
  | 'INVALID_ARGUMENT'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED'
  | 'ALREADY_EXISTS'
  | 'CANCELLED'
  | 'RESOURCE_EXHAUSTED';

/** One request of a batch. */
export interface ModelRequest {
  /** As the client wrote it; '' = none. */
  readonly id: string;
  /** Those that mean nothing to the server. */
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** Correlation id; 0 = the request belongs to no sequence. */
  readonly sequenceId: string | number | bigint;
  readonly sequenceStart: boolean;
  readonly sequenceEnd: boolean;
  /** 0 = the model's default level. */
  readonly priority: number;
  /** 0 = none. */
  readonly timeoutUs: number;
  /** Its batch size; 1 where the model does not batch. */
  readonly rows: number;
  /** Names of the outputs that the client gets; others need not be made. */
  readonly requestedOutputs: readonly string[];
  /**
   * Null = an optional input that the request leaves out. Throws where the model has no such input. The type of its elements is what the
   * caller says it is: `input<'INT64'>('IDS')`.
   */
  input<Type extends DataType = NumberType>(name: string): Tensor<Type> | null;
  /**
   * Makes an output of this shape, which has the batch dimension where the model batches, and returns its elements to be written before
   * `execute` ends. For BYTES the elements are given as `values`, in row-major order; for others `values` may be given too. Throws where the
   * shape is not one that the configuration allows.
   */
  output<Type extends Exclude<DataType, 'BYTES'> = NumberType>(
    name: string,
    shape: readonly number[],
    values?: ArrayLike<number> | ArrayLike<bigint>,
  ): DataOf[Type];
  output(name: string, shape: readonly number[], values: readonly BytesValue[]): void;
  /** The request is answered with this error, whatever outputs it has. An Error may have one of these codes as its `code`. */
  fail(error: string | Error, code?: ErrorCode): void;
  /** A parameter of the response, where the model answers once. */
  setParameter(name: string, value: string | number | boolean): void;
  /** Nobody waits for its answer any more. */
  readonly isCancelled: boolean;
  /** Aborted when nobody waits for its answer any more. */
  readonly signal: AbortSignal;
  /**
   * An answer of a decoupled model, which gives any number of them, while `execute` runs or after it. Resolves when the answer is on its
   * way: not before its client has taken enough of those before. False = nobody waits for it any more; the model need not go on.
   */
  respond(answer: Answer): Promise<boolean>;
  /** Nothing follows, where the last answer of a decoupled model did not say so. */
  end(): Promise<void>;
  /**
   * Runs the request once more instead of answering it, with the same inputs and without `sequenceStart` and `sequenceEnd`, in a batch with whatever
   * else waits. A decoupled model may give answers before. For models with `sequence_batching { iterative_sequence: true }`; throws in others.
   * This object is not to be used any more: the next batch has another one, with the same `sequenceId`.
   */
  reschedule(): void;
}

/** One answer of a decoupled model. */
export interface Answer {
  /** By name. What is not there is not in the answer. */
  outputs?: Readonly<Record<string, OutputValue>>;
  parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Nothing follows. */
  isFinal?: boolean;
}

/** A tensor that is written: its shape has the batch dimension where the model batches, its elements are in row-major order. */
export interface OutputValue {
  shape: readonly number[];
  data: ArrayLike<number> | ArrayLike<bigint> | readonly BytesValue[];
}

/** Requests that run together. */
export interface Batch {
  readonly requests: readonly ModelRequest[];
  /** Of all requests together. */
  readonly rows: number;
  /**
   * The rows of all requests as one tensor: no copy is made where they lie one behind the other. Null = the requests leave this
   * optional input out; all do, or none.
   */
  input<Type extends DataType = NumberType>(name: string): Tensor<Type> | null;
  /**
   * Makes an output of every request at once: the elements of all rows, one row behind the other. `rowShape` is the shape without the
   * batch dimension. `values` as for the output of one request.
   */
  output<Type extends Exclude<DataType, 'BYTES'> = NumberType>(
    name: string,
    rowShape: readonly number[],
    values?: ArrayLike<number> | ArrayLike<bigint>,
  ): DataOf[Type];
  output(name: string, rowShape: readonly number[], values: readonly BytesValue[]): void;
  /**
   * Calls `answer` for each request, side by side where it is async, and resolves when all have ended. What it throws fails that
   * request alone.
   */
  each(answer: (request: ModelRequest) => void | Promise<void>): Promise<void>;
}

/** What an instance knows about itself. */
export interface ModelContext {
  /** Of the model. */
  readonly name: string;
  readonly version: number;
  /** The folder of the version, absolute: where `model.js` is. */
  readonly directory: string;
  readonly instance: string;
  readonly kind: 'KIND_CPU' | 'KIND_GPU' | 'KIND_MODEL';
  /** The CUDA device that it is meant to use; -1 = none. */
  readonly device: number;
  readonly config: ModelConfig;
  /** `parameters` of the configuration. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly log: ModelLog;
  readonly metrics: ModelMetrics;
  /** Aborted when the instance ends: it has run its last batch, and `finalize` follows. */
  readonly signal: AbortSignal;
  /**
   * Asks another model of this server and resolves with its answer. Rejects with an Error that has the `code` and the text of what the other
   * model, or the server, says; `CANCELLED` where the call was cancelled. A decoupled model is asked with `inferStream`.
   */
  infer(call: CallOptions): Promise<CallAnswer>;
  /** The answers of a decoupled model, or the one of another, as they come. Its model is held up until they are taken; leaving the loop cancels it. */
  inferStream(call: CallOptions): AsyncIterableIterator<CallAnswer>;
}

/** A request to another model. */
export interface CallOptions {
  model: string;
  /** The latest where it is left out. */
  version?: number | string;
  inputs: readonly CalledInput[];
  /** Names of the outputs that are wanted; all where it is left out. */
  outputs?: readonly string[];
  parameters?: Readonly<Record<string, ParameterValue>>;
  id?: string;
  priority?: number;
  /** How long it may wait for its turn. */
  timeoutUs?: number;
  sequenceId?: string | number | bigint;
  sequenceStart?: boolean;
  sequenceEnd?: boolean;
  /** Cancels the call when it is aborted. */
  signal?: AbortSignal;
  /**
   * On whose behalf it is: cancelled when nobody waits for the answer of this request any more, or it has its only one, and part of its
   * trace.
   */
  request?: ModelRequest;
  /**
   * The outputs are read where the other model left them, and not copied: they are gone when `execute` has ended, when the answer is
   * released or when the next one of a stream is asked for. Of no effect where the model is decoupled, or outside of `execute`.
   */
  borrow?: boolean;
}

/** An input of a call: its shape has the batch dimension where the other model batches. A tensor of a request is one. */
export interface CalledInput {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  /** Not to be changed until the call is answered. */
  readonly data: ArrayLike<number> | ArrayLike<bigint> | readonly BytesValue[];
}

/** What another model answers. */
export interface CallAnswer {
  readonly model: string;
  readonly version: number;
  /** What it says beside its outputs. */
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** Those that it has made. */
  readonly outputNames: readonly string[];
  /** Throws where the answer has no such output. */
  output<Type extends DataType = DataType>(name: string): Tensor<Type>;
  /** Nothing of it is read any more. */
  release(): void;
}

/** Lines for the server's log, in front of which it says whose they are. */
export interface ModelLog {
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  /** Shown from `--log-verbose` that level on. */
  verbose(level: number, message: string): void;
}

/**
 * Metrics of the model's own, scraped with those of the server until the model is unloaded. A name has letters, digits and _, and does
 * not begin with nv_ or conch_; labels `model` and `version` are added. Counters and histograms of all instances are added up; a gauge has a
 * label `instance`. Keep what they return: it costs no more than an addition.
 */
export interface ModelMetrics {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): Counter;
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): Gauge;
  /** @param bounds of the buckets, ascending; by default those of durations in seconds, from 1 ms to 10 s */
  histogram(
    name: string,
    help: string,
    labels?: Readonly<Record<string, string>>,
    bounds?: readonly number[],
  ): HistogramMetric;
}

export interface Counter {
  /** @param by from 0 on; 1 where nothing is said */
  increment(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
  add(by: number): void;
}

export interface HistogramMetric {
  observe(value: number): void;
}

/** A tensor of the configuration. */
export interface TensorConfig {
  name: string;
  /** `TYPE_FP32`, `TYPE_STRING` for BYTES. */
  data_type: string;
  /** Without the batch dimension where the model batches; -1 = any size. */
  dims: number[];
  [field: string]: unknown;
}

/** The configuration in protobuf's JSON form, with the field names of `model_config.proto`. */
export interface ModelConfig {
  name: string;
  /** 0 = the model does not batch. */
  max_batch_size: number;
  input: (TensorConfig & { optional?: boolean })[];
  output: TensorConfig[];
  dynamic_batching?: {
    preferred_batch_size?: number[];
    max_queue_delay_microseconds?: number;
    [field: string]: unknown;
  };
  model_transaction_policy?: { decoupled: boolean };
  parameters: Record<string, { string_value: string }>;
  [field: string]: unknown;
}
