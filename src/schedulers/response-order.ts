import { Fifo } from '../base/fifo.js';

/** A request whose answers can wait for its turn. */
export interface Deliverable {
  /** Its turn has come, or is not waited for, and it has all its answers: once. */
  deliver(): void;
  /** Its turn has come, and it has not all its answers: those that there are, and those that come, may leave. */
  onTurn(): void;
}

/** `preserve_ordering`: answers leave in the order in which the requests were accepted, whichever instance was faster. */
export class ResponseOrder {
  readonly #waiting = new Fifo<Deliverable>();
  readonly #ready = new Set<Deliverable>();

  /** To be called for each accepted request, in order. */
  enter(request: Deliverable): void {
    this.#waiting.push(request);
  }

  /** It was not accepted after all; only right after `enter`. */
  leave(request: Deliverable): void {
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      if (this.#waiting.at(index) === request) this.#waiting.removeAt(index);
    }
  }

  /** All before it are delivered. */
  isTurnOf(request: Deliverable): boolean {
    return this.#waiting.length > 0 && this.#waiting.at(0) === request;
  }

  /** Its answer is complete: delivers it now if all before it are delivered, else when they are. */
  answer(request: Deliverable): void {
    this.#ready.add(request);
    const before = this.#first();
    while (this.#waiting.length > 0 && this.#ready.delete(this.#waiting.at(0))) this.#waiting.shift().deliver();
    const first = this.#first();
    if (first !== null && first !== before) first.onTurn();
  }

  #first(): Deliverable | null {
    return this.#waiting.length > 0 ? this.#waiting.at(0) : null;
  }
}
