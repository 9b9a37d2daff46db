import { Fifo } from '../../../src/base/fifo.js';
import type { Lane, Place } from './lane.js';

/** Places with a connection and without a request. Each is used in its turn, those first whose sequence waits for its next step. */
export class FreePlaces {
  readonly #begun = new Fifo<Place>();
  readonly #fresh = new Fifo<Place>();

  /** Sequences that wait. */
  get begun(): number {
    return this.#begun.length;
  }

  push(place: Place): void {
    (hasBegun(place) ? this.#begun : this.#fresh).push(place);
  }

  /** @param mayBegin a place may be used that carries no sequence yet; null = there is none that may */
  take(mayBegin: boolean): Place | null {
    if (this.#begun.length > 0) return this.#begun.shift();
    return mayBegin && this.#fresh.length > 0 ? this.#fresh.shift() : null;
  }

  /** Those of a lane that is of no use any more. */
  remove(lane: Lane): void {
    for (const places of [this.#begun, this.#fresh]) {
      for (let index = places.length - 1; index >= 0; index--) {
        if (places.at(index).lane === lane) places.removeAt(index);
      }
    }
  }
}

/** A sequence that is not at its end. */
export function hasBegun({ run }: Place): boolean {
  return run !== null && run.sequenceId !== 0 && !run.isLast;
}
