/** Buffers of one size for what is written; one pool for all connections of a thread, as they write in turns. */
export class BufferPool {
  readonly bufferBytes: number;
  readonly #free: Buffer[] = [];
  readonly #freeMax: number;

  constructor(bufferBytes = 16_384, freeMax = 64) {
    this.bufferBytes = bufferBytes;
    this.#freeMax = freeMax;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bufferBytes);
  }

  /** Takes back only what it gave: buffers of another size are dropped. */
  give(buffer: Buffer): void {
    if (buffer.length === this.bufferBytes && this.#free.length < this.#freeMax) this.#free.push(buffer);
  }
}
