import { ID_DIGITS } from '../encode/prepared-request.js';

const ZERO = 0x30;

/** Ids of requests that say in which slot they were sent, and a new one each time. */
export class SlotIds {
  readonly #ids: number[];
  readonly #roundsMax: number;
  #round = 0;

  constructor(slots: number) {
    this.#ids = new Array(slots).fill(-1);
    this.#roundsMax = Math.floor(10 ** ID_DIGITS / slots);
  }

  /** Of the next request in the slot. */
  take(slot: number): number {
    this.#round = (this.#round + 1) % this.#roundsMax;
    const id = this.#round * this.#ids.length + slot;
    this.#ids[slot] = id;
    return id;
  }

  /** -1 = no slot has this id now. */
  slotOf(id: number): number {
    const slot = id % this.#ids.length;
    return this.#ids[slot] === id ? slot : -1;
  }
}

/** The id in `bytes[at, at + ID_DIGITS)`; -1 = there are other characters. */
export function idAt(bytes: Buffer, at: number): number {
  let id = 0;
  for (let index = at; index < at + ID_DIGITS; index++) {
    const digit = bytes[index]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    id = 10 * id + digit;
  }
  return id;
}
