import type { DataType } from './datatype.js';
import type { Shape } from './tensor.js';

/** A request parameter that has no meaning to the server: handed to the backend. `bigint` beyond 2^53. */
export type ParameterValue = string | number | bigint | boolean;

/** A correlation id: 0 or '' = none; `bigint` beyond 2^53 and only there, so that equal ids are equal values. */
export type SequenceId = string | number | bigint;

/** What a request says of the sequence it belongs to. */
export interface SequenceFlags {
  readonly sequenceId: SequenceId;
  readonly sequenceStart: boolean;
  readonly sequenceEnd: boolean;
}

/** A part of shared memory that a client has registered: bytes `offset` to `offset + byteSize` of the region. */
export interface RegionRange {
  readonly region: string;
  readonly byteSize: number;
  readonly offset: number;
}

/** Where the bytes of one input come from, in the body that carries the request. */
export type TensorSource =
  /** `byteSize` bytes behind the JSON head (HTTP, WebSocket) or one raw entry (gRPC), in the order of the inputs. */
  | { readonly kind: 'binary'; readonly byteSize: number }
  /** The JSON array that begins at byte `start` of the body (its `[`) and ends before byte `end`, or an element without brackets. */
  | { readonly kind: 'json'; readonly start: number; readonly end: number }
  | ({ readonly kind: 'shared' } & RegionRange);

export interface InputHead {
  readonly name: string;
  /** As the client wrote it: it may be no datatype at all, which is refused where the model is known. */
  readonly datatype: string;
  readonly shape: Shape;
  readonly source: TensorSource;
}

export interface OutputHead {
  readonly name: string;
  /** Bytes behind the head, or JSON `data`. */
  readonly binary: boolean;
  /** 0 = the tensor itself; k = the k best classes of each batch entry instead of it. */
  readonly classCount: number;
  /** Null = it comes with the answer. */
  readonly shared: RegionRange | null;
}

/**
 * What a client asked for, in the terms of no protocol and held against no model yet. Immutable: heads repeat from request to
 * request, so a head without JSON data is parsed once and shared.
 */
export interface InferHead extends SequenceFlags {
  /** '' = none. */
  readonly id: string;
  /** 0 = the model's default level. */
  readonly priority: number;
  /** 0 = none. */
  readonly timeoutUs: number;
  readonly inputs: readonly InputHead[];
  /** Empty = all outputs of the model, binary where `binaryOutput` says so. */
  readonly outputs: readonly OutputHead[];
  readonly binaryOutput: boolean;
  /** `triton_enable_empty_final_response`: the end of a decoupled model's answers is worth a message of its own; absent = was not said. */
  readonly emptyFinal?: boolean;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  /** `conch_explain`: the answer says where its time went. Absent = it does not. */
  readonly explain?: boolean;
  /** So many requests of clients, in the rows of this one: counted as these. Absent = it is one. */
  readonly requests?: number;
}

/** One output of a response. `bytes` is a view into shared memory: valid until the response is released. */
export interface OutputTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}
