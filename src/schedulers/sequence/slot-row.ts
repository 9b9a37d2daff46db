import { assert } from '../../base/assert.js';
import type { Sequence } from './sequence.js';

/** The slots of one instance, each empty or with one sequence. */
export class SlotRow {
  /** Of the instance. */
  readonly name: string;
  readonly #slots: (Sequence | null)[];
  readonly #isUsable: () => boolean;
  /** No slot below is empty. */
  #lowest = 0;

  /** @param isUsable false = the instance is gone: nothing new moves in */
  constructor(name: string, count: number, isUsable: () => boolean = () => true) {
    this.name = name;
    this.#slots = new Array<Sequence | null>(count).fill(null);
    this.#isUsable = isUsable;
  }

  /** False = its instance is gone: what is in a slot ends with it. */
  get isUsable(): boolean {
    return this.#isUsable();
  }

  get length(): number {
    return this.#slots.length;
  }

  at(slot: number): Sequence | null {
    return this.#slots[slot]!;
  }

  sequences(): Sequence[] {
    return this.#slots.filter((sequence) => sequence !== null);
  }

  /** The empty slot with the lowest number; -1 = there is none. */
  lowestFree(): number {
    while (this.#lowest < this.#slots.length && this.#slots[this.#lowest] !== null) this.#lowest++;
    return this.#lowest < this.#slots.length && this.#isUsable() ? this.#lowest : -1;
  }

  put(slot: number, sequence: Sequence): void {
    assert(this.#slots[slot] === null, 'a slot was given twice');
    this.#slots[slot] = sequence;
    sequence.row = this;
    sequence.slot = slot;
  }

  empty(slot: number): void {
    this.#slots[slot] = null;
    this.#lowest = Math.min(this.#lowest, slot);
  }
}
