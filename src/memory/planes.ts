import { assert } from '../base/assert.js';
import { type Arena, alignUp, type Slot, type SlotOwner } from './arena.js';

/** `take` found no room: the request is to be refused. */
export const NO_ROWS = -1;

/** Empty blocks kept for the next requests; more go back to the arena. */
const SPARE_BLOCKS = 4;

interface Block {
  slot: Slot | null;
  /** Rows handed out since the block was opened; the next one to hand out. */
  used: number;
  /** Rows handed out and not yet given back. */
  live: number;
}

/**
 * The inputs of a model whose rows have a fixed size. A block is a slot of the arena cut into one plane per input:
 *
 *     block   | input 0: row 0, row 1, ... row R-1 | input 1: row 0, ... row R-1 | ...
 *
 * Requests that follow one another get neighbouring rows, so a batch of neighbours is one contiguous range of each plane. A row
 * is named by one number: block index * R + row in the block.
 */
export class RowPlanes {
  readonly rowsPerBlock: number;
  /** Where each plane begins in its block, in bytes. */
  readonly planeOffsets: readonly number[];
  readonly rowBytes: readonly number[];
  readonly #arena: Arena;
  readonly #owner: SlotOwner | null;
  readonly #blockBytes: number;
  readonly #blocks: Block[] = [];
  /** Indices of blocks with a slot and nothing in them. */
  readonly #spare: number[] = [];
  /** Indices of blocks without a slot. */
  readonly #hollow: number[] = [];
  #open = -1;
  #live = 0;

  /** @param rowBytes bytes of one row of each input, fixed */
  constructor(arena: Arena, rowBytes: readonly number[], rowsPerBlock: number, owner: SlotOwner | null = null) {
    this.#arena = arena;
    this.#owner = owner;
    this.rowBytes = rowBytes;
    this.rowsPerBlock = rowsPerBlock;
    let offset = 0;
    this.planeOffsets = rowBytes.map((bytes) => {
      const begin = offset;
      offset += alignUp(bytes * rowsPerBlock);
      return begin;
    });
    this.#blockBytes = offset;
  }

  /** Rows that are out: 0 whenever the model is idle. */
  get live(): number {
    return this.#live;
  }

  /** Bytes of its blocks that no row has which is out. */
  get idleBytes(): number {
    const blocks = this.#blocks.filter(({ slot }) => slot !== null).length;
    return blocks * this.#blockBytes - this.#live * this.rowBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** The first of `rows` neighbouring rows, or NO_ROWS. `rows` is at most `rowsPerBlock`. */
  take(rows: number): number {
    let block = this.#blocks[this.#open];
    if (block === undefined || block.used + rows > this.rowsPerBlock) {
      this.cut();
      this.#open = this.#openBlock();
      if (this.#open < 0) return NO_ROWS;
      block = this.#blocks[this.#open]!;
    }
    const row = this.#open * this.rowsPerBlock + block.used;
    block.used += rows;
    block.live += rows;
    this.#live += rows;
    return row;
  }

  give(row: number, rows: number): void {
    const index = Math.floor(row / this.rowsPerBlock);
    const block = this.#blocks[index]!;
    block.live -= rows;
    this.#live -= rows;
    assert(block.live >= 0, 'rows were given back twice');
    if (block.live > 0) return;
    block.used = 0;
    if (index !== this.#open) this.#keepSpare(index, block);
  }

  /** The next request begins a new block: called when a batch begins, so that batches and blocks begin together. */
  cut(): void {
    const index = this.#open;
    const block = this.#blocks[index];
    if (block === undefined || block.used === 0) return;
    this.#open = -1;
    if (block.live === 0) {
      block.used = 0;
      this.#keepSpare(index, block);
    }
  }

  /** Byte offset in the arena of the block that holds `row`. */
  blockOffset(row: number): number {
    return this.#blocks[Math.floor(row / this.rowsPerBlock)]!.slot!.offset;
  }

  /** Byte offset in the arena of `row` in the plane of `input`. */
  rowOffset(input: number, row: number): number {
    return this.blockOffset(row) + this.planeOffsets[input]! + (row % this.rowsPerBlock) * this.rowBytes[input]!;
  }

  /** Gives all spare memory back to the arena; only when no row is out. */
  close(): void {
    assert(this.#live === 0, `${this.#live} rows were not given back`);
    this.#open = -1;
    for (const block of this.#blocks) {
      if (block.slot !== null) this.#arena.give(block.slot);
      block.slot = null;
    }
    this.#spare.length = 0;
  }

  #openBlock(): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const slot = this.#arena.takeInput(this.#blockBytes, this.#owner);
    if (slot === null) return -1;
    const hollow = this.#hollow.pop();
    if (hollow !== undefined) {
      this.#blocks[hollow]!.slot = slot;
      return hollow;
    }
    return this.#blocks.push({ slot, used: 0, live: 0 }) - 1;
  }

  #keepSpare(index: number, block: Block): void {
    if (this.#spare.length < SPARE_BLOCKS) {
      this.#spare.push(index);
      return;
    }
    this.#arena.give(block.slot!);
    block.slot = null;
    this.#hollow.push(index);
  }
}
