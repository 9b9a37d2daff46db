import type { MessagePort } from 'node:worker_threads';
import type { DataType } from '../types/datatype.js';
import type { ErrorCode } from '../types/errors.js';
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
  /** The backend takes tensors on a SharedArrayBuffer: nothing is copied. */
  readonly sharedTensors: boolean;
  /** What the backend of this worker alone understands. */
  readonly settings: Settings;
  /** Carries one WorkerMessage. */
  readonly port: MessagePort;
}

/** The worker's only messages: it is ready, or it never will be. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

/** The ONNX Runtime worker's settings. */
export interface OnnxSettings {
  /** Absolute; relative external data is found beside it. */
  readonly modelPath: string;
  /** The file's bytes where it had to be rewritten; empty = the file as it is. */
  readonly modelBytes: Uint8Array;
  /** `InferenceSession.SessionOptions` of onnxruntime-node. */
  readonly session: Readonly<Record<string, unknown>>;
  /** Values of inputs that a request may leave out. */
  readonly defaults: readonly {
    readonly name: string;
    readonly datatype: DataType;
    readonly shape: Shape;
    readonly bytes: Uint8Array;
  }[];
}

/** Codes an error of a batch can have, by the value of its ERROR_CLASS word. */
export const ERROR_CLASSES: readonly ErrorCode[] = ['INTERNAL', 'INVALID_ARGUMENT', 'UNSUPPORTED'];
