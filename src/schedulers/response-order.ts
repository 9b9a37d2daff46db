import type { InferRequest } from '../backends/request.js';
import { Fifo } from '../base/fifo.js';

/** `preserve_ordering`: answers leave in the order in which the requests were accepted, whichever instance was faster. */
export class ResponseOrder {
  readonly #waiting = new Fifo<InferRequest>();
  readonly #ready = new Map<InferRequest, () => void>();

  /** To be called for each accepted request, in order. */
  enter(request: InferRequest): void {
    this.#waiting.push(request);
  }

  /** Answers now if all before it are answered, else when they are. */
  answer(request: InferRequest, send: () => void): void {
    this.#ready.set(request, send);
    while (this.#waiting.length > 0) {
      const first = this.#waiting.at(0);
      const ready = this.#ready.get(first);
      if (ready === undefined) return;
      this.#waiting.shift();
      this.#ready.delete(first);
      ready();
    }
  }
}
