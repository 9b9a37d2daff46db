import type { AcceptedRequest, InferResponse, Responder } from '../core/infer-response.js';
import { asServerError, type ServerError } from '../types/errors.js';
import type { CallTrace } from './call-trace.js';

/** One inference, whatever it comes over: its request until it is answered, its answer until it is sent. Used for one after another. */
export abstract class Inference implements Responder {
  /** Until it is answered. */
  protected request: AcceptedRequest | null = null;
  /** Until it is sent. */
  protected response: InferResponse | null = null;
  /** Null = nothing is traced. */
  protected callTrace: CallTrace | null = null;

  abstract onResponse(response: InferResponse): void;
  abstract onError(error: ServerError): void;

  /** Its tensors are in place. Throws what only they tell. @param id of the client; '' = none */
  protected submitAs(id: string): void {
    const request = this.request!;
    if (this.callTrace !== null) this.callTrace.begin(request, id);
    request.requestId = id;
    try {
      request.submit();
    } catch (error) {
      // It has given everything back.
      this.request = null;
      throw error;
    }
  }

  /** Nobody waits for the answer any more. */
  protected cancelRequest(): void {
    const { request } = this;
    this.request = null;
    request?.cancel();
    this.releaseResponse();
  }

  protected releaseResponse(): void {
    const { response } = this;
    this.response = null;
    response?.release();
  }

  protected endTrace(): void {
    if (this.callTrace === null) return;
    this.callTrace.end();
    this.callTrace = null;
  }
}

/** One that is answered once. `settled` is called once when there is an answer or an error, unless it is cancelled before. */
export abstract class SettledInference extends Inference {
  protected error: ServerError | null = null;

  /** There is a `response`, or `error` says why not. May come before the call that queued it returns. */
  protected abstract settled(): void;

  /** For the log: no model had it, or its answer cannot be written. */
  protected abstract noteRefusal(error: unknown): void;

  onResponse(response: InferResponse): void {
    this.request = null;
    this.response = response;
    this.settled();
  }

  onError(error: ServerError): void {
    this.request = null;
    this.error = error;
    this.settled();
  }

  /** It cannot be queued. */
  protected refuse(error: unknown): void {
    this.noteRefusal(error);
    this.cancelRequest();
    this.error = asServerError(error);
    this.settled();
  }

  /** Its answer is sent, or it was cancelled: for the next request. */
  protected clear(): void {
    this.request = null;
    this.releaseResponse();
    this.endTrace();
    this.error = null;
  }
}
