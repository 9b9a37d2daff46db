import type { MessagePort } from 'node:worker_threads';
import type { BatchInputLayout, BatchOutputLayout } from '../types/batch-io.js';
import type { DataType } from '../types/datatype.js';
import type { ErrorCode } from '../types/errors.js';
import type { InputDefault } from '../types/model.js';
import type { Shape } from '../types/tensor.js';

/** One input or output of a model as its backend sees it (after `reshape`), and where its rows lie. */
export interface TensorLayout {
  readonly name: string;
  readonly datatype: DataType;
  /** Without the batch dimension; -1 = differs from request to request. */
  readonly dims: Shape;
  /** Bytes of one row; 0 = differs from request to request (variable dims or BYTES). */
  readonly rowBytes: number;
  /** Where the plane begins in a block, in bytes; only for inputs that lie in planes. */
  readonly planeOffset: number;
  /** Its backend gets the elements of all requests in one dimension; inputs only. */
  readonly ragged: boolean;
}

/** A tensor that each sequence keeps from one step to the next, in the worker. Shapes are without the batch dimension. */
export interface StateLayout {
  readonly input: string;
  readonly output: string;
  readonly datatype: DataType;
  /** -1 = can change from step to step. */
  readonly dims: Shape;
  /** Of a sequence that begins. */
  readonly initialDims: Shape;
  /** One row; BYTES with the length in front of each element. */
  readonly initial: Uint8Array;
  /** Written over where it was read. */
  readonly sameBuffer: boolean;
}

/** All that a worker is given when it starts; the rest goes through the ring. */
export interface InstanceInit<Settings = unknown> {
  readonly model: string;
  readonly instance: string;
  readonly arena: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  /** Requests a batch can hold. */
  readonly maxEntries: number;
  /** Tensors have a leading batch dimension that the configuration does not show. */
  readonly batching: boolean;
  readonly inputs: readonly TensorLayout[];
  readonly outputs: readonly TensorLayout[];
  readonly batchInputs: readonly BatchInputLayout[];
  readonly batchOutputs: readonly BatchOutputLayout[];
  /** Empty = the model has no implicit state. */
  readonly states: readonly StateLayout[];
  /** What the backend of this worker alone understands. */
  readonly settings: Settings;
  /** Carries one WorkerMessage. */
  readonly port: MessagePort;
}

/** The worker's only messages: it is ready, or it never will be. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** How a session is made; names and values are those of ONNX Runtime's C interface. */
export interface OnnxSessionOptions {
  /** `GraphOptimizationLevel`: 0 = none, 1 = basic, 2 = extended, 99 = all. */
  readonly graphLevel: number;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  /** `ExecutionMode`: operators without dependencies run at the same time. */
  readonly parallel: boolean;
  readonly memArena: boolean;
  readonly memPattern: boolean;
  /** `AddSessionConfigEntry`. */
  readonly entries: Readonly<Record<string, string>>;
  /** Before the CPU, in the order of preference. */
  readonly providers: readonly OnnxProvider[];
}

/** An execution provider and its options, `device_id` among them. */
export interface OnnxProvider {
  readonly name: 'CUDA' | 'TensorRT';
  readonly options: Readonly<Record<string, string>>;
}

/** The ONNX Runtime worker's settings. */
export interface OnnxSettings {
  /** Absolute; relative external data is found beside it. */
  readonly modelPath: string;
  /** The file's bytes where it had to be rewritten; empty = the file as it is. */
  readonly modelBytes: Uint8Array;
  /** The shared library of ONNX Runtime, absolute. */
  readonly library: string;
  readonly session: OnnxSessionOptions;
  /** Values of inputs that a request may leave out. */
  readonly defaults: readonly InputDefault[];
}

/** Codes an error of a batch can have, by the value of its ERROR_CLASS word. */
export const ERROR_CLASSES: readonly ErrorCode[] = ['INTERNAL', 'INVALID_ARGUMENT', 'UNSUPPORTED'];
