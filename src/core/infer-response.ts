import type { Arena } from '../memory/arena.js';
import type { Trace } from '../telemetry/trace/trace.js';
import type { ServerError } from '../types/errors.js';
import type { OutputTensor, ParameterValue } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import type { InferPlan } from './check-request.js';
import type { Explanation } from './explanation.js';

/** Who answered: what an answer says of its model. */
export interface Answerer {
  readonly name: string;
  readonly version: number;
  /** It may answer any number of times. */
  readonly isDecoupled: boolean;
  /** Where the outputs lie. */
  readonly arena: Arena;
}

/** One answer to a request. Its outputs, counted as those of the plan are, can be read until `release`. */
export interface InferResponse {
  readonly model: Answerer;
  readonly plan: InferPlan;
  readonly rows: number;
  /** Nothing follows to its request. */
  readonly isFinal: boolean;
  /** It only says that the request is over: there is no output, not even an empty one (decoupled models). */
  readonly isEmpty: boolean;
  /** What the model says beside its outputs; null = nothing. */
  readonly parameters: ReadonlyMap<string, ParameterValue> | null;
  /** True = all answers to this plan with as many rows have outputs of the same shapes and sizes, given as they are. */
  readonly hasFixedOutputs: boolean;
  /** Where its time went; null = nobody asked. */
  readonly explanation: Explanation | null;
  /** What it took to gather the inputs, to run the model and to write the outputs: microseconds, of the whole batch. */
  readonly inputUs: number;
  readonly inferUs: number;
  readonly outputUs: number;
  /** False = the model made no such output. */
  hasOutput(nth: number): boolean;
  /** Byte position in the arena. */
  outputBegin(nth: number): number;
  outputBytes(nth: number): number;
  /** With the batch dimension, where there is one. */
  outputShape(nth: number): Shape;
  /** The names of the classes of output `nth`, by index; null = it has none. */
  labels(nth: number): readonly string[] | null;
  /** Output `nth` as the client gets it, classified where it asked for that. A view, valid until `release`. */
  output(nth: number): OutputTensor;
  /** The outputs are not needed any more; to be called once. */
  release(): void;
}

/**
 * Who gets the answers: one, or of a decoupled model any number, of which the last is final; or an error, which is the last too. Nothing
 * is called after `cancel` or `abandon`, and not inside `submit`'s error.
 */
export interface Responder {
  /** The responder must release each response; a decoupled model is slowed down until it does. */
  onResponse(response: InferResponse): void;
  onError(error: ServerError): void;
  /**
   * None of the answers it has was released for `--response-timeout-secs`. True = its client does not read and is cut off: what it has is
   * released, and the request is cancelled when this returns. False = they wait for something else. Left out = `onError` says it.
   */
  onStalled?(): boolean;
}

/** A request that has memory for its tensors, until the last byte of its answer is sent. */
export interface AcceptedRequest {
  /** Who answers; it may be another than was asked, which stands in its place. */
  readonly model: Answerer;
  readonly plan: InferPlan;
  /** Null = it is not traced. Whoever sets it, before `submit`, holds it for the request, which ends it. */
  trace: Trace | null;
  /** As the client wrote it, to be set before `submit`: plans do not know it, because they are shared by requests with other ids. '' = none. */
  requestId: string;
  /** Its answer is to have an explanation, also where its head does not ask for one; to be set before `submit`. */
  isTimed: boolean;
  /** Where input `nth` of the plan is to be written, as byte position in the arena. */
  inputBegin(nth: number): number;
  inputBytes(nth: number): number;
  /** Its data is complete: checks what only the data tells and queues it. Throws a ServerError, and has given everything back. */
  submit(): void;
  /** It will never be submitted: gives its memory back. */
  abandon(): void;
  /** The client is gone, before or after `submit`. */
  cancel(): void;
}
