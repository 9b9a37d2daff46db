import { ServerError } from '../types/errors.js';
import { LARGE_JSON_BYTES } from './json-pool.js';

const FIRST_BYTES = 16 * 1024;
const nothing = Buffer.alloc(0);

/** What all bodies together may hold while they are collected: one number for the whole server. */
export class BodyBudget {
  readonly #limit: number;
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Throws RESOURCE_EXHAUSTED. */
  take(bytes: number): void {
    if (this.#used + bytes > this.#limit) {
      throw new ServerError(
        'RESOURCE_EXHAUSTED',
        `request bodies in transfer hold ${this.#used} of ${this.#limit} bytes (--tensor-memory-byte-size): try again later`,
      );
    }
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** Collects a body that comes in several chunks and is needed whole; one that another thread may read lies in shared memory. Grows with what has arrived, not with what was announced. */
export class BodyBuffer {
  readonly #budget: BodyBudget;
  #bytes: Buffer = nothing;
  #length = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#length;
  }

  /** What has arrived; valid until the next `append` or `clear`. */
  get view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Holds `bytes` instead, which are nobody else's. Throws RESOURCE_EXHAUSTED. */
  become(bytes: Buffer): void {
    this.clear();
    this.#budget.take(bytes.length);
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  clear(): void {
    if (this.#bytes === nothing) return;
    this.#budget.give(this.#bytes.length);
    this.#bytes = nothing;
    this.#length = 0;
  }

  #grow(needed: number): void {
    const size = Math.max(needed, this.#bytes.length * 2, FIRST_BYTES);
    this.#budget.take(size - this.#bytes.length);
    const grown = size >= LARGE_JSON_BYTES ? Buffer.from(new SharedArrayBuffer(size)) : Buffer.allocUnsafe(size);
    grown.set(this.view);
    this.#bytes = grown;
  }
}
