import { assert } from '../base/assert.js';
import { type Arena, alignUp, type Slot } from '../memory/arena.js';
import { LINE_BEGIN, LINE_BYTES, LINE_DIMS, LINE_RANK, LINE_WORDS } from '../memory/layout.js';

/** When the steps of one execution ended, monotonic microseconds (C0 to C3 of the fact sheet, section 6). */
export interface ExecutionTimes {
  readonly startUs: number;
  readonly inputsUs: number;
  readonly inferUs: number;
  readonly endUs: number;
}

/**
 * The outputs of one executed batch, in the arena. Each request of the batch holds a share; the slot goes back when the last one
 * has released its share, which may be long after the worker went on.
 */
export class BatchOutputs {
  readonly arena: Arena;
  readonly rows: number;
  readonly entries: number;
  readonly times: ExecutionTimes;
  /** The batch was one contiguous range of its planes. */
  readonly contiguous: boolean;
  /** Of the states that the batch left, where they can change; equal for equal shapes. */
  readonly stateKey: string;
  /** Absolute byte position, length and full dimensions of each output, in the order of the configuration. */
  readonly begins: number[] = [];
  readonly lengths: number[] = [];
  readonly dims: number[][] = [];
  readonly #slot: Slot;

  constructor(
    arena: Arena,
    slot: Slot,
    batch: {
      rows: number;
      entries: number;
      times: ExecutionTimes;
      contiguous: boolean;
      outputs: number;
      stateKey: string;
    },
  ) {
    this.arena = arena;
    this.#slot = slot;
    this.rows = batch.rows;
    this.entries = batch.entries;
    this.times = batch.times;
    this.contiguous = batch.contiguous;
    this.stateKey = batch.stateKey;
    slot.readers = batch.entries;
    for (let index = 0; index < batch.outputs; index++) this.#readLine(index);
  }

  /** Where the part of output `index` begins that belongs to the rows from `firstRow` on. Fixed-size elements only. */
  rowBegin(index: number, firstRow: number): number {
    return this.begins[index]! + firstRow * this.rowLength(index);
  }

  /** Bytes of one row of output `index` of a batching model. */
  rowLength(index: number): number {
    const total = this.dims[index]![0]!;
    return total === 0 ? 0 : this.lengths[index]! / total;
  }

  /** Byte positions of request `entry`'s part of the `nth` BYTES output of a batching model. */
  cut(nth: number, entry: number): { begin: number; end: number } {
    const cuts = this.#table(this.begins.length * LINE_WORDS, (nth + 1) * (this.entries + 1));
    const at = nth * (this.entries + 1) + entry;
    return { begin: cuts[at]!, end: cuts[at + 1]! };
  }

  /** Gives back what its slot has behind the last output. */
  trim(): void {
    let end = this.#slot.offset;
    for (let index = 0; index < this.begins.length; index++) {
      end = Math.max(end, this.begins[index]! + this.lengths[index]!);
    }
    this.arena.trim(this.#slot, end - this.#slot.offset);
  }

  /** One more reader of a share: another step takes the outputs over by reference. */
  retain(): void {
    this.#slot.readers++;
  }

  release(): void {
    assert(this.#slot.readers > 0, 'an output was released twice');
    if (--this.#slot.readers === 0) this.arena.give(this.#slot);
  }

  #readLine(index: number): void {
    const line = this.#table(index * LINE_WORDS, LINE_WORDS);
    this.begins.push(this.#slot.offset + line[LINE_BEGIN]!);
    this.lengths.push(line[LINE_BYTES]!);
    this.dims.push(Array.from(line.subarray(LINE_DIMS, LINE_DIMS + line[LINE_RANK]!)));
  }

  #table(word: number, words: number): Float64Array {
    return new Float64Array(this.arena.buffer, this.#slot.offset + word * 8, words);
  }
}

/** Bytes of an output slot for `rows` rows of outputs with these row sizes behind a table of `table` bytes. */
export function outputBytes(table: number, rowBytes: readonly number[], rows: number): number {
  let bytes = alignUp(table);
  for (const row of rowBytes) bytes += alignUp(row * rows);
  return bytes;
}
