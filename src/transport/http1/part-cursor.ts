import type { AnswerBody } from './answer-body.js';

/** Goes through the parts of a large answer, some bytes at a time. */
export class PartCursor implements AnswerBody {
  readonly isWhole = true;
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #offset = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
    this.#skipEmpty();
  }

  get isEmpty(): boolean {
    return this.#part === this.#parts.length;
  }

  /** A view of the next bytes, at most `maxBytes`; not when it is empty. */
  take(maxBytes: number): Uint8Array {
    const part = this.#parts[this.#part]!;
    const end = Math.min(part.length, this.#offset + maxBytes);
    const piece = this.#offset === 0 && end === part.length ? part : part.subarray(this.#offset, end);
    this.#offset = end;
    this.#skipEmpty();
    return piece;
  }

  #skipEmpty(): void {
    while (!this.isEmpty && this.#offset === this.#parts[this.#part]!.length) {
      this.#part++;
      this.#offset = 0;
    }
  }
}
