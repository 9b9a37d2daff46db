const BLOCK_BYTES = 128 * 1024;

/**
 * Where answers are put together before they are written: bytes taken one behind the other from a block, and a new block when it is
 * used up. What the kernel has taken at once can be given back, so that the same bytes are used again and again.
 */
export class Slab {
  block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #used = 0;

  /** Where in `block` the next `size` bytes are the caller's. */
  take(size: number): number {
    if (this.#used + size > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, size));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += size;
    return start;
  }

  /** Nobody needs these bytes any more. Without effect where others were taken behind them. */
  giveBack(block: Buffer, start: number, end: number): void {
    if (block === this.block && end === this.#used) this.#used = start;
  }
}
