import type { ByteSink } from '../../../src/transport/http1/outgoing.js';

/** Takes bytes as a socket does: those it does not take at once stay until `drain`. Notes what goes to the kernel in one call. */
export class RecordingSink implements ByteSink {
  writableLength = 0;
  /** What was handed over together. */
  readonly writes: string[] = [];
  /** What it has taken, put together: a view that was changed too early shows here. */
  received = '';
  isFull = false;
  #waiting: Uint8Array[] = [];
  #corked: Uint8Array[] | null = null;

  write(bytes: Uint8Array): boolean {
    if (this.#corked !== null) {
      this.#corked.push(bytes);
      return true;
    }
    this.#hand([bytes]);
    return !this.isFull;
  }

  cork(): void {
    this.#corked = [];
  }

  uncork(): void {
    const pieces = this.#corked!;
    this.#corked = null;
    this.#hand(pieces);
  }

  drain(): void {
    for (const bytes of this.#waiting) this.received += Buffer.from(bytes).toString('latin1');
    this.#waiting = [];
    this.writableLength = 0;
  }

  #hand(pieces: Uint8Array[]): void {
    this.writes.push(Buffer.concat(pieces).toString('latin1'));
    this.#waiting.push(...pieces);
    for (const bytes of pieces) this.writableLength += bytes.length;
    if (!this.isFull) this.drain();
  }
}
