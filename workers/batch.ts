import {
  ABSENT,
  ARENA_UNIT,
  ENTRY_OFFSET,
  ENTRY_ROW,
  ENTRY_ROWS,
  ENTRY_STATE,
  LINE_BEGIN,
  LINE_BYTES,
  LINE_DIMS,
  LINE_RANK,
  lineOf,
  STATE_GIVEN,
  VARIABLE,
} from '../src/memory/layout.js';
import type { RingMemory } from '../src/memory/ring.js';

/** The batch that the worker has sealed, read from the ring once. One object per worker, reused. */
export class SealedBatch {
  entries = 0;
  /** Rows of all entries together. */
  rows = 0;
  /** All entries lie in planes, one behind the other: one range per input. */
  contiguous = false;
  /** Per entry: byte offset of its block or slot, row in the block or VARIABLE, number of rows. */
  readonly slots: Float64Array;
  readonly firstRows: Int32Array;
  readonly rowCounts: Int32Array;
  readonly #memory: RingMemory;
  #base = 0;

  constructor(memory: RingMemory) {
    this.#memory = memory;
    this.slots = new Float64Array(memory.maxEntries);
    this.firstRows = new Int32Array(memory.maxEntries);
    this.rowCounts = new Int32Array(memory.maxEntries);
  }

  read(base: number, entries: number): void {
    const { words } = this.#memory;
    this.#base = base;
    this.entries = entries;
    this.rows = 0;
    this.contiguous = true;
    for (let index = 0; index < entries; index++) {
      const word = this.#memory.entry(base, index);
      const row = words[word + ENTRY_ROW]!;
      const slot = words[word + ENTRY_OFFSET]! * ARENA_UNIT;
      if (row === VARIABLE || slot !== this.#firstSlot(slot, index) || row !== this.#expectedRow(row, index)) {
        this.contiguous = false;
      }
      this.slots[index] = slot;
      this.firstRows[index] = row;
      this.rowCounts[index] = words[word + ENTRY_ROWS]!;
      this.rows += this.rowCounts[index]!;
    }
  }

  /** Its rows bring their states (STATE_GIVEN): all do, or none. */
  get bringsStates(): boolean {
    return this.stateWord(0) === STATE_GIVEN;
  }

  /** ENTRY_STATE of an entry; only models with implicit state ask. */
  stateWord(index: number): number {
    return this.#memory.words[this.#memory.entry(this.#base, index) + ENTRY_STATE]!;
  }

  #firstSlot(slot: number, index: number): number {
    return index === 0 ? slot : this.slots[0]!;
  }

  #expectedRow(row: number, index: number): number {
    return index === 0 ? row : this.firstRows[0]! + this.rows;
  }
}

/** Byte position in the arena of the tensor of line `index` of the table in a slot; -1 = the request has no such tensor. */
export function lineBegin(table: Float64Array, slot: number, index: number): number {
  const begin = table[lineOf(slot, index) + LINE_BEGIN]!;
  return begin === ABSENT ? -1 : slot + begin;
}

/** One line of a tensor table (memory/layout.ts), as byte position in the arena, length and dimensions. */
export class TableLine {
  /** -1 = the request has no such tensor. */
  begin = -1;
  bytes = 0;
  dims: number[] = [];
  readonly #own: number[] = [];

  read(table: Float64Array, slot: number, index: number): void {
    const word = lineOf(slot, index);
    this.begin = lineBegin(table, slot, index);
    // The other words of an absent tensor are whatever lay there before.
    if (this.begin < 0) return;
    this.bytes = table[word + LINE_BYTES]!;
    const rank = table[word + LINE_RANK]!;
    this.dims = this.#own;
    this.dims.length = rank;
    for (let i = 0; i < rank; i++) this.dims[i] = table[word + LINE_DIMS + i]!;
  }
}
