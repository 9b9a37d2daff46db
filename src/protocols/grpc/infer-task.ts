import type { AcceptedRequest, InferResponse, Responder } from '../../core/infer-response.js';
import { admitWithRegions } from '../../core/regions/region-request.js';
import type { ServedModel } from '../../core/served-model.js';
import { asServerError, type ServerError } from '../../types/errors.js';
import type { CallTrace } from '../call-trace.js';
import { type ForwardedHeaders, planWithHeaders } from '../header-forward.js';
import type { RefusalLog } from '../refusal-log.js';
import type { PartsHolder } from './engine.js';
import { IdBytes } from './id-bytes.js';
import type { InferReader, PreparedInfer } from './infer-reader.js';
import type { MessagePieces } from './message-pieces.js';

/**
 * One inference over gRPC, from its message to the last byte of its answer; what unary calls and streams have in common. `settled`
 * is called once when there is an answer or an error, unless the task is cancelled before.
 */
export abstract class InferTask implements Responder, PartsHolder {
  protected prepared: PreparedInfer | null = null;
  /** Until it is answered. */
  protected request: AcceptedRequest | null = null;
  /** Until it is sent. */
  protected response: InferResponse | null = null;
  protected error: ServerError | null = null;
  /** Its model had it: an error is that model's answer. */
  protected wasAccepted = false;
  /** Null = nothing is traced. */
  protected callTrace: CallTrace | null = null;
  protected readonly id = new IdBytes();
  /** Null = none. */
  protected forwarded: ForwardedHeaders | null = null;
  /** '' = that is not known yet. */
  #modelName = '';
  readonly #refusals: RefusalLog;

  constructor(refusals: RefusalLog) {
    this.#refusals = refusals;
  }

  /** Its model has memory for it and was told nothing yet. */
  protected admitted(_model: ServedModel): void {}

  /** There is a `response`, or `error` says why not. May come before `start` returns. */
  protected abstract settled(): void;

  abstract onPartsReleased(): void;

  /** Reads a whole message, copies its tensors and queues it. */
  start(reader: InferReader, message: Buffer): void {
    try {
      this.#read(reader, message);
      this.#submit();
    } catch (error) {
      this.refuse(error);
    }
  }

  /** As `start`, for a message that came in pieces. */
  startPieces(reader: InferReader, pieces: MessagePieces): void {
    try {
      this.#takeNames(pieces);
      this.request = pieces.finish();
      this.prepared = pieces.prepared;
      if (this.request === null) this.#read(reader, pieces.whole);
      this.#submit();
    } catch (error) {
      this.refuse(error);
    } finally {
      pieces.clear();
    }
  }

  /** For a message that was refused while it came in pieces. */
  refusePieces(pieces: MessagePieces, error: unknown): void {
    this.#takeNames(pieces);
    pieces.clear();
    this.refuse(error);
  }

  /** It is not one that can be queued. */
  refuse(error: unknown): void {
    this.noteRefusal(error);
    this.cancel();
    this.error = asServerError(error);
    this.settled();
  }

  onResponse(response: InferResponse): void {
    this.request = null;
    this.response = response;
    this.settled();
  }

  onError(error: ServerError): void {
    this.request = null;
    this.error = error;
    this.wasAccepted = true;
    this.settled();
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    const { request } = this;
    this.request = null;
    request?.cancel();
    this.#releaseResponse();
  }

  /** For the log: no model had it, or its answer cannot be written. */
  protected noteRefusal(error: unknown): void {
    const { view } = this.id;
    if (this.#refusals.isOn) this.#refusals.note(this.#modelName, Buffer.from(view).toString(), error);
  }

  /** Its answer is sent, or it was cancelled: it can be used for another. */
  protected clear(): void {
    this.request = null;
    this.#releaseResponse();
    this.callTrace?.end();
    this.callTrace = null;
    this.prepared = null;
    this.forwarded = null;
    this.error = null;
    this.wasAccepted = false;
    this.id.clear();
    this.#modelName = '';
  }

  #takeNames({ id, modelName }: MessagePieces): void {
    this.id.set(id.bytes, 0, id.length);
    this.#modelName = modelName;
  }

  #releaseResponse(): void {
    const { response } = this;
    this.response = null;
    response?.release();
  }

  #read(reader: InferReader, message: Buffer): void {
    try {
      reader.read(message);
    } finally {
      this.id.set(message, reader.idBegin, reader.idEnd);
      this.#modelName = reader.modelName;
    }
    const { prepared, sizes, sequence } = reader;
    const { model } = prepared;
    this.prepared = prepared;
    const plan = planWithHeaders(model, reader.plan, this.forwarded);
    const request = admitWithRegions(reader.regions, model, plan, sizes, this, sequence);
    this.request = request;
    const { bytes } = model.arena;
    for (let nth = 0; nth < sizes.length; nth++) reader.copyInput(message, nth, bytes, request.inputBegin(nth));
  }

  #submit(): void {
    const request = this.request!;
    const id = this.id.view.length === 0 ? '' : Buffer.from(this.id.view).toString();
    if (this.callTrace !== null) this.callTrace.begin(request, id);
    request.requestId = id;
    this.admitted(this.prepared!.model);
    try {
      request.submit();
    } catch (error) {
      // It has given everything back.
      this.request = null;
      throw error;
    }
  }
}
