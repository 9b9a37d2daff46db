/** Bytes that come in pieces and are wanted in one. Its memory grows to the largest that came, and is used again. */
export class ByteCollector {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  /** Empties it; so many bytes are expected. */
  reset(expectedBytes = 0): void {
    this.length = 0;
    this.#reserve(expectedBytes);
  }

  append(bytes: Buffer, start: number, end: number): void {
    const count = end - start;
    this.#reserve(this.length + count);
    bytes.copy(this.bytes, this.length, start, end);
    this.length += count;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
