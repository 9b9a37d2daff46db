import type { ModelRequest } from '../../core/model-request.js';
import type { PreparedHead } from './head-cache.js';

/** Up to this size a loop is faster than making two views and calling `set`. */
const LOOP_BYTES = 96;

/** Copies `length` bytes; the one copy a tensor's bytes see on the main thread. */
export function copyBytes(from: Uint8Array, at: number, to: Uint8Array, begin: number, length: number): void {
  if (length > LOOP_BYTES) {
    to.set(at === 0 && length === from.length ? from : from.subarray(at, at + length), begin);
    return;
  }
  for (let i = 0; i < length; i++) to[begin + i] = from[at + i]!;
}

/** Writes the bytes behind the head, as they come in, to where the request's tensors lie. Reused from request to request. */
export class Scatter {
  #request: ModelRequest | null = null;
  #sizes: readonly number[] = [];
  #nth = 0;
  /** Bytes of input `#nth` that are written. */
  #written = 0;

  begin(request: ModelRequest, head: PreparedHead): void {
    this.#request = request;
    this.#sizes = head.binaryBytes;
    this.#nth = 0;
    this.#written = 0;
  }

  /** Takes all of `from` behind byte `at` that still fits; the result is how many bytes were left over. */
  write(from: Uint8Array, at: number): number {
    const request = this.#request!;
    let position = at;
    while (position < from.length && this.#nth < this.#sizes.length) {
      const size = Math.max(0, this.#sizes[this.#nth]!);
      const part = Math.min(size - this.#written, from.length - position);
      const begin = request.inputBegin(this.#nth) + this.#written;
      copyBytes(from, position, request.model.arena.bytes, begin, part);
      position += part;
      this.#written += part;
      if (this.#written === size) this.#next();
    }
    return from.length - position;
  }

  #next(): void {
    this.#nth++;
    this.#written = 0;
  }
}
