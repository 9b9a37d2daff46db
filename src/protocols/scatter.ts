import type { AcceptedRequest } from '../core/infer-response.js';
import { copyBytes } from '../memory/copy.js';
import type { PreparedHead } from './head-cache.js';

/** Writes the bytes behind the head, as they come in, to where the request's tensors lie. Reused from request to request. */
export class Scatter {
  #request: AcceptedRequest | null = null;
  #sizes: readonly number[] = [];
  #nth = 0;
  /** Bytes of input `#nth` that are written. */
  #written = 0;

  begin(request: AcceptedRequest, head: Pick<PreparedHead, 'binaryBytes'>): void {
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
