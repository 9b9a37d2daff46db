import type { Link } from './link.js';

const BLOCK_BYTES = 64 * 1024;

/** Joins what is written in one turn of the event loop into one write of the socket. */
export class TurnWriter {
  /** Of the bytes that `reserve` gave away; see there. */
  block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  readonly #link: Link;
  /** `block[begin, end)` is not written yet; what is before `begin` may wait in the socket. */
  #begin = 0;
  #end = 0;
  #isScheduled = false;
  #isCorked = false;
  readonly #flush = () => this.#flushNow();

  constructor(link: Link) {
    this.#link = link;
  }

  /** The place in `block` for so many bytes, at most `BLOCK_BYTES`; the caller fills it before it reserves again. */
  reserve(bytes: number): number {
    this.#schedule();
    if (bytes > BLOCK_BYTES - this.#end) {
      this.#cork();
      this.#writeBlock();
      this.block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#begin = 0;
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  /** Copies them. */
  append(bytes: Buffer): void {
    const at = this.reserve(bytes.length);
    bytes.copy(this.block, at);
  }

  /** Bytes of any size that nobody changes any more; they are not copied. */
  lend(bytes: Buffer): void {
    this.#schedule();
    this.#cork();
    this.#writeBlock();
    this.#link.write(bytes);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#flush);
  }

  /** Until the end of the turn: for one that needs several writes. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#link.cork();
  }

  #writeBlock(): void {
    if (this.#begin === this.#end) return;
    this.#link.write(this.block.subarray(this.#begin, this.#end));
    this.#begin = this.#end;
  }

  #flushNow(): void {
    this.#isScheduled = false;
    this.#writeBlock();
    if (this.#isCorked) this.#link.uncork();
    this.#isCorked = false;
    if (this.#link.unsentBytes > 0) return;
    this.#begin = 0;
    this.#end = 0;
  }
}
