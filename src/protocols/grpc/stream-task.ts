import { Fifo } from '../../base/fifo.js';
import type { InferResponse } from '../../core/infer-response.js';
import type { ServedModel } from '../../core/served-model.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import { grpcTrace } from '../call-trace.js';
import type { GrpcCall } from './engine.js';
import type { InferEndpoint } from './infer-endpoint.js';
import type { PreparedInfer } from './infer-reader.js';
import { sendAnswer } from './infer-reply.js';
import { endMessage } from './infer-response.js';
import type { InferStream, StreamedTask } from './infer-stream.js';
import { InferTask } from './infer-task.js';

/** open: not all its answers are here. settled: they are, or an error is. sent: it is not the stream's any more. */
type StreamTaskState = 'open' | 'settled' | 'sent';

/** One request of a stream, and its answers. Pooled: nobody has it when all that it sent is taken. */
export class StreamTask extends InferTask implements StreamedTask<PreparedInfer> {
  /** What it counts for as long as the stream has it. */
  bytes = 0;
  /** Of a decoupled model: its answers wait for nobody else's. */
  isDecoupled = false;
  /** The stream has it among those that have something to send. */
  isReady = false;
  readonly #endpoint: InferEndpoint;
  /** Not sent yet. */
  readonly #answers = new Fifo<InferResponse>();
  #stream: InferStream<PreparedInfer> | null = null;
  #state: StreamTaskState = 'open';
  /** Their views are on their way: messages leave in order. */
  readonly #sent = new Fifo<InferResponse>();

  constructor(endpoint: InferEndpoint) {
    super(endpoint.refusals, endpoint.reader);
    this.#endpoint = endpoint;
  }

  open(stream: InferStream<PreparedInfer>, bytes: number): void {
    this.#stream = stream;
    this.forwarded = stream.forwarded;
    this.#state = 'open';
    this.bytes = bytes;
    const { tracing } = this.#endpoint;
    if (tracing.isOn) this.callTrace = grpcTrace(tracing, stream.parentContext);
  }

  /** All its answers are here, or why there are no more. */
  get isSettled(): boolean {
    return this.#state === 'settled';
  }

  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  /** The error that its model answered, where it is the next to be sent. */
  get modelError(): ServerError | null {
    return this.wasAccepted && !this.hasAnswers ? this.error : null;
  }

  override onResponse(response: InferResponse): void {
    this.#answers.push(response);
    if (!response.isFinal) {
      this.#stream!.onAnswer(this);
      return;
    }
    this.request = null;
    this.settled();
  }

  /** Its client does not read; whether or not the stream has it. */
  onStalled(): boolean {
    return this.#stream!.onStalled();
  }

  /** Sends the next answer or the error. True = it was the last: the task is let go. */
  sendNext(call: GrpcCall): boolean {
    if (this.hasAnswers) this.#sendAnswer(call, this.#answers.shift());
    if (this.hasAnswers || !this.isSettled) return false;
    if (this.error !== null) this.#sendEnd(call, this.error.message, this.wasAccepted);
    this.#letGo();
    return true;
  }

  /** It is not sent any more. */
  drop(): void {
    this.cancelRequest();
    while (this.hasAnswers) this.#answers.shift().release();
    this.#letGo();
  }

  onPartsReleased(): void {
    this.#sent.shift().release();
    this.#recycleIfDone();
  }

  protected override admitted(model: ServedModel): void {
    this.isDecoupled = model.isDecoupled;
    if (this.isDecoupled) this.#stream!.onDecoupled(this);
  }

  protected settled(): void {
    this.#state = 'settled';
    this.#stream!.onSettled(this);
  }

  #sendAnswer(call: GrpcCall, response: InferResponse): void {
    if (response.isEmpty) {
      if (this.prepared!.plan.head.emptyFinal === true) this.#sendEnd(call, '', true);
      response.release();
      return;
    }
    this.callTrace?.sending();
    const sent = this.#sent;
    // Its views may be released before this returns.
    sent.push(response);
    try {
      const areFree = sendAnswer(call, 'stream', this.prepared!, response, this.id, this);
      if (areFree) sent.removeAt(sent.length - 1).release();
    } catch (error) {
      sent.removeAt(sent.length - 1).release();
      this.#giveUp(asServerError(error));
    }
  }

  /** It cannot be answered as it should be. */
  #giveUp(error: ServerError): void {
    this.noteRefusal(error);
    this.cancelRequest();
    while (this.hasAnswers) this.#answers.shift().release();
    this.wasAccepted = true;
    this.error = error;
    this.#state = 'settled';
  }

  /** @param isModels false = it was refused before its model had it: only the id is sent back */
  #sendEnd(call: GrpcCall, message: string, isModels: boolean): void {
    this.callTrace?.sending();
    const modelName = isModels ? this.prepared!.modelName : '';
    const modelVersion = isModels ? this.prepared!.modelVersion : '';
    call.send(endMessage({ message, id: this.id.view, modelName, modelVersion }));
  }

  #letGo(): void {
    this.#state = 'sent';
    this.#recycleIfDone();
  }

  #recycleIfDone(): void {
    if (this.#state !== 'sent' || this.#sent.length > 0) return;
    this.#stream = null;
    this.isDecoupled = false;
    this.isReady = false;
    this.clear();
    this.#endpoint.recycleTask(this);
  }
}
