const BYTES_INITIAL = 256;

/** Puts together what came in parts. Grows with what is there, never with what was announced. The caller bounds it. */
export class ByteCollector {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  add(source: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) this.#grow(length);
    this.bytes.set(source.subarray(start, end), this.length);
    this.length = length;
  }

  /** Forgets the bytes and gives their memory back. */
  clear(): void {
    this.length = 0;
    this.bytes = Buffer.alloc(0);
  }

  #grow(needed: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(BYTES_INITIAL, 2 * this.bytes.length, needed));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
  }
}
