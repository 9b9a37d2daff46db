import { Fifo } from '../../base/fifo.js';
import type { BodyBudget } from '../body-buffer.js';

const BLOCK_BYTES_MAX = 64 * 1024;

/**
 * Bytes that wait, in their order, within the budget. They lie in blocks, since each chunk by itself would cost some hundred bytes, and a
 * client may send them one by one. Blocks begin as small as what came, and grow: only the last has room, at most as much as is kept.
 */
export class Backlog {
  readonly #budget: BodyBudget;
  readonly #blocks = new Fifo<Buffer>();
  /** Of the first block, what is gone; of the last one, what is filled. */
  #begin = 0;
  #end = 0;
  #length = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#length;
  }

  /** What came first, as far as it lies in one block; valid until it is dropped. Not where there is nothing. */
  get first(): Buffer {
    const end = this.#blocks.length === 1 ? this.#end : this.#blocks.at(0).length;
    return this.#blocks.at(0).subarray(this.#begin, end);
  }

  /** Copies `bytes[start, end)`. Throws RESOURCE_EXHAUSTED where the budget is used up. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const block = this.#roomFor(end - at);
      const copied = bytes.copy(block, this.#end, at, end);
      this.#end += copied;
      this.#length += copied;
      at += copied;
    }
  }

  /** So many bytes of `first` are done with. */
  drop(count: number): void {
    this.#begin += count;
    this.#length -= count;
    const end = this.#blocks.length === 1 ? this.#end : this.#blocks.at(0).length;
    if (this.#begin < end) return;
    this.#budget.give(this.#blocks.shift().length);
    this.#begin = 0;
    if (this.#blocks.length === 0) this.#end = 0;
  }

  clear(): void {
    while (this.#blocks.length > 0) this.#budget.give(this.#blocks.shift().length);
    this.#begin = 0;
    this.#end = 0;
    this.#length = 0;
  }

  /** The last block, with room for at least one byte at `#end`. */
  #roomFor(bytes: number): Buffer {
    const { length } = this.#blocks;
    const last = length === 0 ? 0 : this.#blocks.at(length - 1).length;
    if (this.#end < last) return this.#blocks.at(length - 1);
    const size = Math.max(bytes, Math.min(2 * last, BLOCK_BYTES_MAX));
    this.#budget.take(size);
    const block = Buffer.allocUnsafe(size);
    this.#blocks.push(block);
    this.#end = 0;
    return block;
  }
}
