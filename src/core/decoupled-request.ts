import type { BatchOutputs, ExecutionTimes } from '../backends/batch-outputs.js';
import type { Sequel } from '../backends/request.js';
import type { FailureReason } from '../telemetry/statistics.js';
import type { Trace } from '../telemetry/trace/trace.js';
import type { ServerError } from '../types/errors.js';
import { AdmittedRequest } from './admitted-request.js';
import { ModelResponse } from './model-response.js';
import { nanoseconds, traceExecution, traceOutputs } from './request-trace.js';
import { readNote } from './response-note.js';

/** One of the answers to a request, which learns when it is read. */
class DecoupledResponse extends ModelResponse {
  readonly #request: DecoupledRequest;
  readonly #isFinal: boolean;
  #isReleased = false;

  constructor(request: DecoupledRequest, outputs: BatchOutputs | null, isFinal: boolean, entry = 0, firstRow = 0) {
    super(request, outputs, entry, firstRow);
    this.#request = request;
    this.#isFinal = isFinal;
  }

  override get isFinal(): boolean {
    return this.#isFinal;
  }

  override release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    super.release();
    this.#request.onReleased();
  }
}

/**
 * One request to a model that answers any number of times. Its client hears nothing after the final answer, an error or `cancel`; its
 * model has it, and the memory of its inputs, until the execution is over and the final answer was there, in either order, or it failed.
 */
export class DecoupledRequest extends AdmittedRequest {
  /** Answers that wait for the turn of the request (`preserve_ordering`). */
  readonly #kept: DecoupledResponse[] = [];
  #unread = 0;
  /** Answers that counted. */
  #answers = 0;
  /** When the last one came, or the request was cancelled. */
  #sinceUs = 0;
  /** Nothing more reaches the client but what is kept, and `error` behind it. */
  #isClosed = false;
  /** The client is gone. */
  #isGone = false;
  /** The model has given its final answer. */
  #isAnswered = false;
  /** What its client is told behind its answers; null = nothing, or not yet. */
  error: ServerError | null = null;
  /** How the request counts; null = as a success. */
  #failure: FailureReason | null = null;

  override get unread(): number {
    return this.#unread;
  }

  /** Answers that the responder has and has not released. */
  get held(): number {
    return this.#unread - this.#kept.length;
  }

  override respond(outputs: BatchOutputs | null, isFinal: boolean): void {
    this.#isAnswered ||= isFinal;
    if (this.#isClosed) outputs?.release();
    else this.#take(new DecoupledResponse(this, outputs, isFinal), outputs);
    this.#endIfOver();
  }

  override sequelOf(outputs: BatchOutputs, index: number): Sequel {
    return outputs.batch.inParts && readNote(outputs, index).error === null ? 'open' : 'over';
  }

  /** Of a backend that answers once it is the only answer. */
  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    const { times, inParts } = outputs.batch;
    this.times = times;
    this.#isAnswered ||= !inParts;
    if (inParts) this.#readNote(outputs, index);
    else if (this.#isClosed) outputs.release();
    else this.#take(new DecoupledResponse(this, outputs, true, index, firstRow), outputs);
    this.#endIfOver();
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.#failure ??= reason;
    if (!this.#isClosed) this.#close(error);
    this.#end();
  }

  override abandon(): void {
    super.abandon();
    this.#isGone = true;
  }

  override cancel(): void {
    if (this.stage === 'filling') this.abandon();
    if (this.#isGone) return;
    this.#isGone = true;
    for (const response of this.#kept.splice(0)) response.release();
    if (this.#isClosed) this.cancelled = true;
    else this.#giveUp();
    // Its model may wait for a reader.
    this.onRead();
  }

  /** None of the answers that the responder has was released for too long. False = no client is to blame. */
  cutOff(error: ServerError): boolean {
    const { responder } = this;
    if (this.#isGone) return false;
    if (responder.onStalled !== undefined && !responder.onStalled()) return false;
    if (responder.onStalled === undefined && !this.#isClosed) this.#failWith(error, 'CANCELED');
    this.cancel();
    return true;
  }

  override deliver(): void {
    this.onTurn();
    if (this.error !== null && !this.#isGone) this.responder.onError(this.error);
  }

  override onTurn(): void {
    while (this.#kept.length > 0) {
      const response = this.#kept.shift()!;
      this.model.watch?.given(this);
      if (this.trace !== null) this.#record(this.trace, response);
      this.responder.onResponse(response);
    }
  }

  /** For its responses alone. */
  onReleased(): void {
    this.#unread--;
    this.model.watch?.taken(this);
    this.onRead();
  }

  #take(response: DecoupledResponse, outputs: BatchOutputs | null): void {
    this.#unread++;
    // The times of an answer are those of its outputs: an error has none.
    this.#count(response, response.error === null ? (outputs?.batch.times ?? null) : null);
    if (response.error !== null) {
      response.release();
      this.#failWith(response.error, 'BACKEND');
      return;
    }
    this.#kept.push(response);
    if (response.isFinal) this.#close(null);
    else if (this.model.isTurnOf(this)) this.onTurn();
  }

  /** What is said of an execution that is over: an error, or nothing. */
  #readNote(outputs: BatchOutputs, index: number): void {
    const { error } = readNote(outputs, index);
    outputs.release();
    if (error === null) return;
    this.#isAnswered = true;
    if (!this.#isClosed) this.#failWith(error, 'BACKEND');
  }

  /** The model need not go on. */
  #failWith(error: ServerError, reason: FailureReason): void {
    this.#failure = reason;
    this.#close(error);
    this.cancelled = true;
  }

  /** Nothing follows to what the client has got, but `error`. */
  #close(error: ServerError | null): void {
    this.#isClosed = true;
    this.error = error;
    this.model.deliver(this);
  }

  #giveUp(): void {
    this.#failure = 'CANCELED';
    this.#sinceUs = this.model.nowUs;
    this.#isClosed = true;
    if (this.times === null) this.model.cancel(this);
    else this.cancelled = true;
    this.model.deliver(this);
  }

  #endIfOver(): void {
    if (this.#isAnswered && this.times !== null) this.#end();
  }

  #end(): void {
    if (this.stage === 'over') return;
    this.close();
    if (this.#failure === 'CANCELED') this.#countCancelled();
    if (this.trace !== null) traceExecution(this.trace, this, this.times);
    this.model.onEnded(this, this.#failure, this.times);
  }

  #record(trace: Trace, response: DecoupledResponse): void {
    trace.stamp('INFER_RESPONSE_COMPLETE', nanoseconds(this.model.nowUs));
    traceOutputs(trace, response, this.model.tensors.outputs);
  }

  #count({ error, isEmpty }: DecoupledResponse, times: ExecutionTimes | null): void {
    const { model } = this;
    const nowUs = model.nowUs;
    if (this.#answers === 0 && error === null) model.statistics.firstResponse(nowUs - this.arrivedUs);
    const outcome = error !== null ? 'fail' : isEmpty ? 'empty_response' : 'success';
    const beganUs = this.#answers === 0 ? this.arrivedUs : this.#sinceUs;
    const inferUs = times === null ? nowUs - beganUs : times.inferUs - times.startUs;
    const outputUs = times === null ? 0 : times.endUs - times.inferUs;
    model.statistics.responded(this.#answers++, outcome, inferUs, outputUs);
    this.#sinceUs = nowUs;
  }

  /** How long its model took to let go of it. */
  #countCancelled(): void {
    this.model.statistics.responded(this.#answers, 'cancel', this.model.nowUs - this.#sinceUs, 0);
  }
}
