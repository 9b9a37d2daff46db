import { assert } from './assert.js';

/** A first-in first-out queue in one array used as a ring: no allocation while its length stays below what it once was. */
export class Fifo<T> {
  #items: (T | undefined)[] = new Array(16).fill(undefined);
  /** Its length, a power of two, less 1. */
  #mask = 15;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & this.#mask] = item;
    this.#length++;
  }

  /** Puts an item before all others. */
  unshift(item: T): void {
    if (this.#length === this.#items.length) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#items[this.#head] = item;
    this.#length++;
  }

  shift(): T {
    assert(this.#length > 0, 'shift from an empty queue');
    const item = this.#items[this.#head] as T;
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    return item;
  }

  /** The item `index` places behind the first; `index` is below `length`. */
  at(index: number): T {
    assert(index < this.#length, 'index beyond the queue');
    return this.#items[(this.#head + index) & this.#mask] as T;
  }

  /** Takes out the item at `index`, keeping the order of the others. Linear in the number behind it. */
  removeAt(index: number): T {
    const item = this.at(index);
    for (let i = index; i < this.#length - 1; i++) {
      this.#items[(this.#head + i) & this.#mask] = this.#items[(this.#head + i + 1) & this.#mask];
    }
    this.#length--;
    this.#items[(this.#head + this.#length) & this.#mask] = undefined;
    return item;
  }

  #grow(): void {
    const items: (T | undefined)[] = new Array(this.#items.length * 2).fill(undefined);
    for (let i = 0; i < this.#length; i++) items[i] = this.#items[(this.#head + i) & this.#mask];
    this.#items = items;
    this.#mask = items.length - 1;
    this.#head = 0;
  }
}
