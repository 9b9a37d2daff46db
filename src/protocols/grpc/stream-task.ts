import { asServerError, type ServerError } from '../../types/errors.js';
import type { GrpcCall } from './engine.js';
import type { InferEndpoint } from './infer-endpoint.js';
import { sendStreamed } from './infer-reply.js';
import { endMessage } from './infer-response.js';
import type { InferStream } from './infer-stream.js';
import { InferTask } from './infer-task.js';

/** open: its answer is to come. settled: it waits for its turn. sending: views of its outputs are on their way. */
type StreamTaskState = 'open' | 'settled' | 'sending';

/** One request of a stream. Pooled. */
export class StreamTask extends InferTask {
  /** What it counts for as long as the stream has it. */
  bytes = 0;
  readonly #endpoint: InferEndpoint;
  #stream: InferStream | null = null;
  #state: StreamTaskState = 'open';

  constructor(endpoint: InferEndpoint) {
    super();
    this.#endpoint = endpoint;
  }

  open(stream: InferStream, bytes: number): void {
    this.#stream = stream;
    this.#state = 'open';
    this.bytes = bytes;
  }

  get isSettled(): boolean {
    return this.#state === 'settled';
  }

  /** The error that its model answered; null = it has an answer, or was refused before. */
  get modelError(): ServerError | null {
    return this.wasAccepted ? this.error : null;
  }

  /** Sends the answer and lets the task go. */
  send(call: GrpcCall): void {
    if (this.error === null) this.#sendResponse(call);
    if (this.error === null) return;
    this.#sendFailure(call, this.error);
    this.#recycle();
  }

  /** It is not sent any more. */
  drop(): void {
    this.cancel();
    this.#recycle();
  }

  onPartsReleased(): void {
    this.#recycle();
  }

  protected settled(): void {
    this.#state = 'settled';
    this.#stream!.onSettled();
  }

  #sendResponse(call: GrpcCall): void {
    this.#state = 'sending';
    try {
      if (sendStreamed(call, this.prepared!, this.response!, this.id, this)) this.#recycle();
    } catch (error) {
      this.wasAccepted = true;
      this.error = asServerError(error);
    }
  }

  #sendFailure(call: GrpcCall, error: ServerError): void {
    const isModels = this.wasAccepted;
    const modelName = isModels ? this.prepared!.modelName : '';
    const modelVersion = isModels ? this.prepared!.modelVersion : '';
    call.send(endMessage({ message: error.message, id: this.id.view, modelName, modelVersion }));
  }

  #recycle(): void {
    this.#stream = null;
    this.clear();
    this.#endpoint.recycleTask(this);
  }
}
