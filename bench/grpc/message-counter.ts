const PREFIX_BYTES = 5;

/** Counts the messages in the bodies of one stream, wherever its frames are cut; each has to begin with this field of protobuf. */
export class MessageCounter {
  readonly #firstTag: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFilled = 0;
  /** Of the message that has begun. */
  #missing = 0;
  #isAtTag = false;

  constructor(firstTag: number) {
    this.#firstTag = firstTag;
  }

  /** The number of messages that end in `bytes[start, end)`. Throws for one that begins otherwise, such as an error in band. */
  feed(bytes: Buffer, start: number, end: number): number {
    let whole = 0;
    let at = start;
    while (at < end) {
      if (this.#prefixFilled < PREFIX_BYTES) {
        at += this.#fillPrefix(bytes, at, end);
        continue;
      }
      if (this.#isAtTag) this.#checkTag(bytes, at, end);
      const taken = Math.min(this.#missing, end - at);
      at += taken;
      this.#missing -= taken;
      if (this.#missing > 0) break;
      this.#prefixFilled = 0;
      whole++;
    }
    return whole;
  }

  get isBetween(): boolean {
    return this.#prefixFilled === 0;
  }

  #fillPrefix(bytes: Buffer, at: number, end: number): number {
    const taken = Math.min(PREFIX_BYTES - this.#prefixFilled, end - at);
    for (let index = 0; index < taken; index++) this.#prefix[this.#prefixFilled++] = bytes[at + index]!;
    if (this.#prefixFilled < PREFIX_BYTES) return taken;
    this.#missing = this.#prefix.readUInt32BE(1);
    if (this.#missing === 0) throw new Error('the server sent an empty message');
    this.#isAtTag = true;
    return taken;
  }

  #checkTag(bytes: Buffer, at: number, end: number): void {
    this.#isAtTag = false;
    if (bytes[at] !== this.#firstTag) {
      throw new Error(`the server answered with an error: ${bytes.toString('latin1', at, end)}`);
    }
  }
}
