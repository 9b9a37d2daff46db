import type { DataType } from '../types/datatype.js';
import type { ErrorCode } from '../types/errors.js';
import type { ParameterValue, SequenceFlags } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';

/**
 * What a model written in code asks of other models, and what it is told, over its worker's port. No tensor goes over it: the worker writes
 * inputs to the arena, and reads outputs there. A call is named by a number that its worker gives it.
 */
export interface CallsMessage {
  readonly kind: 'calls';
  readonly events: readonly CallEvent[];
}

/**
 * call: asks for memory for the inputs; `caller` is the key (channel-protocol.ts) of the request on whose behalf it is, -1 = of none. submit: they are written. release: answer number `answer` is not read any more. cancel: nobody waits
 * for more, and nothing of what came is read any more; it is not said of a call whose final answer or error has come.
 */
export type CallEvent =
  | { readonly kind: 'call'; readonly id: number; readonly caller: number; readonly head: CallHead }
  | { readonly kind: 'submit'; readonly id: number }
  | { readonly kind: 'release'; readonly id: number; readonly answer: number }
  | { readonly kind: 'cancel'; readonly id: number };

/** What is asked for. */
export interface CallHead extends SequenceFlags {
  readonly model: string;
  /** '' = the latest. */
  readonly version: string;
  /** Any number of answers are waited for, not one. */
  readonly isStream: boolean;
  /** As a client would write it; '' = none. */
  readonly requestId: string;
  /** 0 = the model's default level. */
  readonly priority: number;
  /** 0 = none. */
  readonly timeoutUs: number;
  readonly inputs: readonly CallInput[];
  /** Empty = all. */
  readonly outputs: readonly string[];
  readonly parameters: ReadonlyMap<string, ParameterValue>;
}

export interface CallInput {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
  readonly byteSize: number;
}

/** What happened in one turn of the main thread's event loop. */
export interface RepliesMessage {
  readonly kind: 'replies';
  readonly replies: readonly CallReply[];
}

/** place: where each input begins in the arena. answer: one of a call that is submitted. error: nothing follows, and nothing has to be released but answers before. */
export type CallReply =
  | { readonly kind: 'place'; readonly id: number; readonly begins: readonly number[] }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: AnswerPlace }
  | { readonly kind: 'error'; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** An answer, and where its outputs lie until it is released. */
export interface AnswerPlace {
  /** Of this call; counted from 0. */
  readonly number: number;
  /** Nothing follows. */
  readonly isFinal: boolean;
  /** It only says that nothing follows, and is not to be released. */
  readonly isEmpty: boolean;
  readonly model: string;
  readonly version: number;
  readonly parameters: ReadonlyMap<string, ParameterValue>;
  readonly outputs: readonly OutputPlace[];
}

export interface OutputPlace {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
  /** Byte position in the arena. */
  readonly begin: number;
  readonly bytes: number;
}
