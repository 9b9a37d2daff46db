const USUAL_BYTES = 128;

/** The id of one request after another, as it came: nobody reads it, it is only sent back. */
export class IdBytes {
  bytes = new Uint8Array(USUAL_BYTES);
  length = 0;

  set(message: Uint8Array, begin: number, end: number): void {
    this.length = end - begin;
    if (this.length > this.bytes.length) this.bytes = new Uint8Array(this.length);
    for (let index = 0; index < this.length; index++) this.bytes[index] = message[begin + index]!;
  }

  /** Not longer than usual: a long one is not kept. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > USUAL_BYTES) this.bytes = new Uint8Array(USUAL_BYTES);
  }

  /** '' = there is none. */
  get text(): string {
    return this.length === 0 ? '' : Buffer.from(this.bytes.buffer, 0, this.length).toString();
  }

  get view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
