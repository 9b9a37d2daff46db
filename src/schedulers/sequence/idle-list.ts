import type { Sequence } from './sequence.js';

/**
 * The sequences in slots that have nothing to do, whoever has been so longest first. The links are in the sequences: one joins and leaves with each
 * step, and nothing is allocated for it.
 */
export class IdleList {
  #first: Sequence | null = null;
  #last: Sequence | null = null;

  get first(): Sequence | null {
    return this.#first;
  }

  /** It is in no list, and was heard of after all that are in this. */
  add(sequence: Sequence): void {
    sequence.isIdle = true;
    sequence.idleBefore = this.#last;
    if (this.#last === null) this.#first = sequence;
    else this.#last.idleAfter = sequence;
    this.#last = sequence;
  }

  /** Where it is not in the list nothing happens. */
  remove(sequence: Sequence): void {
    if (!sequence.isIdle) return;
    const { idleBefore: before, idleAfter: after } = sequence;
    if (before === null) this.#first = after;
    else before.idleAfter = after;
    if (after === null) this.#last = before;
    else after.idleBefore = before;
    sequence.isIdle = false;
    sequence.idleBefore = null;
    sequence.idleAfter = null;
  }
}
