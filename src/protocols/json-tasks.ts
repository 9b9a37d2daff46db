import type { DataType } from '../types/datatype.js';
import type { ErrorCode } from '../types/errors.js';
import type { InferHead, ParameterValue } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import type { DataRange } from './data-range.js';
import type { GenerateModel } from './generate.js';
import type { GenerateAnswer } from './generate-reply.js';

export interface ParseTask {
  readonly body: SharedArrayBuffer;
  /** Bytes of the head, which is the first part of the body. */
  readonly length: number;
}

/** Of a body for `infer`. */
export interface ParseHeadTask extends ParseTask {
  /** Tensors may lie in that of clients. */
  readonly sharedMemory: boolean;
}

/** Of a body for `generate`. */
export interface ParseGenerateTask extends ParseTask {
  readonly model: GenerateModel;
  readonly maxInputBytes: number;
}

export interface ReadTask {
  readonly body: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
  readonly tensors: readonly JsonTensor[];
}

/** A JSON tensor, and where its bytes belong in the arena. */
export interface JsonTensor {
  readonly range: DataRange;
  readonly name: string;
  readonly datatype: DataType;
  readonly elements: number;
  readonly begin: number;
}

export interface WriteTask {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly arena: SharedArrayBuffer;
  readonly outputs: readonly ArenaTensor[];
  readonly parameters: ReadonlyMap<string, ParameterValue> | null;
}

/** An answer of `generate`. */
export interface WriteGenerateTask {
  readonly answer: Omit<GenerateAnswer, 'outputs'>;
  readonly form: GenerateForm;
  readonly arena: SharedArrayBuffer;
  readonly outputs: readonly Omit<ArenaTensor, 'binary'>[];
}

/** JSON by itself, or an event of a stream. */
export type GenerateForm = 'json' | 'event';

/** An output that lies in the arena, and how the client wants it. */
export interface ArenaTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
  readonly binary: boolean;
  readonly begin: number;
  readonly length: number;
}

/** What a thread answers: errors lose their class on their way to another. */
export type Outcome<Result> =
  | { readonly result: Result }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

export interface ParsedHead {
  readonly head: InferHead;
  /** Bytes that each input with JSON strings needs; -1 for all others. */
  readonly stringBytes: readonly number[];
}
