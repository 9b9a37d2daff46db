import type { Random } from '../load/random.js';
import { FIRST_SEQUENCE_ID } from '../sequences/step-template.js';
import { Twin } from './twin.js';

/** Ids that are used again had their client go away so long ago that the server knows it. */
const REUSE_AFTER_MS = 1000;
const REUSED_SHARE = 0.5;
const MOST_STEPS = 60;

/** A sequence as its client sees it. */
export class SoakSequence {
  readonly id: number;
  readonly twin = new Twin();
  stepsLeft: number;
  isBegun = false;
  /** It had its END flag, or its client gave it up. */
  isOver = false;
  /** By its END flag. */
  isEnded = false;
  /** Steps without an answer. */
  outstanding = 0;

  constructor(id: number, stepsLeft: number) {
    this.id = id;
    this.stepsLeft = stepsLeft;
  }
}

/** The ids of all clients: new ones, and those of sequences that nobody goes on with. */
export class SequenceIds {
  readonly #random: Random;
  readonly #left: { readonly id: number; readonly sinceMs: number }[] = [];
  #next = FIRST_SEQUENCE_ID;
  reused = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  begin(nowMs: number): SoakSequence {
    return new SoakSequence(this.#take(nowMs), this.#random.between(0, MOST_STEPS));
  }

  /** One with the same id: END has given it free. */
  follow({ id }: SoakSequence): SoakSequence {
    this.reused++;
    return new SoakSequence(id, this.#random.between(0, MOST_STEPS));
  }

  leave(id: number, nowMs: number): void {
    this.#left.push({ id, sinceMs: nowMs });
  }

  #take(nowMs: number): number {
    const oldest = this.#left[0];
    if (oldest === undefined || nowMs - oldest.sinceMs < REUSE_AFTER_MS) return this.#next++;
    this.#left.shift();
    if (!this.#random.chance(REUSED_SHARE)) return this.#next++;
    this.reused++;
    return oldest.id;
  }
}
