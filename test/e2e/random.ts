/** Numbers that look random, and are the same again for the same seed: xorshift32. */
export class Random {
  #state: number;

  /** @param seed an integer */
  constructor(seed: number) {
    this.#state = seed | 0 || 1;
    // Seeds that are close begin alike.
    for (let round = 0; round < 20; round++) this.#next();
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.#next() % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** @param length a multiple of 4 */
  bytes(length: number): Buffer {
    const words = new Uint32Array(length / 4);
    for (let index = 0; index < words.length; index++) words[index] = this.#next();
    return Buffer.from(words.buffer);
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }
}
