import { assert } from '../base/assert.js';
import { type Arena, alignUp, type Slot } from '../memory/arena.js';
import { ABSENT, LINE_BEGIN, LINE_BYTES, LINE_DIMS, LINE_RANK, lineOf, tableBytes } from '../memory/layout.js';
import type { RingMemory } from '../memory/ring.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import type { DataType } from '../types/datatype.js';
import type { Shape } from '../types/tensor.js';

/** When the steps of one execution ended, monotonic microseconds (C0 to C3 of the fact sheet, section 6). */
export interface ExecutionTimes {
  readonly startUs: number;
  readonly inputsUs: number;
  readonly inferUs: number;
  readonly endUs: number;
}

/** Of the batch whose words begin at `base`. */
export function executionTimes(memory: RingMemory, base: number): ExecutionTimes {
  return {
    startUs: memory.time(base, 0),
    inputsUs: memory.time(base, 1),
    inferUs: memory.time(base, 2),
    endUs: memory.time(base, 3),
  };
}

/** What the outputs of all batches of an instance have in common. */
export class OutputForm {
  readonly count: number;
  /** They have a leading batch dimension. */
  readonly batching: boolean;
  /** Which of the BYTES outputs each one is; -1 = it is none. */
  readonly strings: readonly number[];

  constructor(outputs: readonly { readonly datatype: DataType }[], batching: boolean) {
    this.count = outputs.length;
    this.batching = batching;
    let strings = 0;
    this.strings = outputs.map(({ datatype }) => (datatype === 'BYTES' ? strings++ : -1));
  }
}

/** One execution that ended well. */
export interface ExecutedBatch {
  readonly rows: number;
  readonly entries: number;
  readonly times: ExecutionTimes;
  /** The batch was one contiguous range of its planes. */
  readonly contiguous: boolean;
  readonly instance: string;
  /** The first `entries` of these ran; what nobody waits for fills rows up. */
  readonly requests: readonly { readonly requestId: string; readonly isAwaited: boolean }[];
  /** Why it had no more requests. */
  readonly reason: CloseReason;
  /** Of the states that the batch left, where they can change; equal for equal shapes. */
  readonly stateKey: string;
  /** Each entry has outputs of its own (STATUS_PARTS of memory/layout.ts). */
  readonly inParts: boolean;
}

/**
 * The outputs of one executed batch, in the arena. Each request of the batch holds a share; the slot goes back when the last one
 * has released its share, which may be long after the worker went on.
 */
export class BatchOutputs {
  readonly arena: Arena;
  readonly batch: ExecutedBatch;
  readonly #form: OutputForm;
  readonly #slot: Slot;

  constructor(arena: Arena, slot: Slot, form: OutputForm, batch: ExecutedBatch) {
    this.arena = arena;
    this.batch = batch;
    this.#form = form;
    this.#slot = slot;
    slot.readers = batch.entries;
  }

  /** False = request `entry` has no output `index`. */
  has(index: number, entry: number): boolean {
    return this.arena.table[this.#line(index, entry) + LINE_BEGIN] !== ABSENT;
  }

  /** Byte position in the arena where the part of output `index` begins that is request `entry`'s, whose first row is `firstRow`. */
  begin(index: number, entry: number, firstRow: number): number {
    const begin = this.#slot.offset + this.arena.table[this.#line(index, entry) + LINE_BEGIN]!;
    if (!this.#isShared()) return begin;
    return this.#isString(index) ? begin + this.#cut(index, entry) : begin + firstRow * this.#rowBytes(index);
  }

  bytes(index: number, entry: number, rows: number): number {
    if (!this.#isShared()) return this.arena.table[this.#line(index, entry) + LINE_BYTES]!;
    return this.#isString(index) ? this.#cut(index, entry + 1) - this.#cut(index, entry) : this.#rowBytes(index) * rows;
  }

  /** Without the batch dimension, where there is one. */
  dims(index: number, entry: number): Shape {
    const line = this.#line(index, entry);
    const begin = line + LINE_DIMS + (this.#form.batching ? 1 : 0);
    return Array.from(this.arena.table.subarray(begin, line + LINE_DIMS + this.arena.table[line + LINE_RANK]!));
  }

  /** What its backend says of request `entry` beside its outputs, as JSON; null = nothing. */
  note(entry: number): string | null {
    if (!this.batch.inParts) return null;
    const { table, bytes } = this.arena;
    const line = this.#line(this.#form.count, entry);
    if (table[line + LINE_BEGIN] === ABSENT) return null;
    const begin = this.#slot.offset + table[line + LINE_BEGIN]!;
    return Buffer.from(bytes.slice(begin, begin + table[line + LINE_BYTES]!)).toString();
  }

  /** Gives back what its slot has behind the last output. */
  trim(): void {
    const { table } = this.arena;
    const lines = this.batch.inParts ? this.batch.entries * (this.#form.count + 1) : this.#form.count;
    let end = tableBytes(lines, 0);
    for (let index = 0; index < lines; index++) {
      const line = lineOf(this.#slot.offset, index);
      if (table[line + LINE_BEGIN] !== ABSENT)
        end = Math.max(end, table[line + LINE_BEGIN]! + table[line + LINE_BYTES]!);
    }
    this.arena.trim(this.#slot, end);
  }

  /** One more reader of a share: another step takes the outputs over by reference. */
  retain(): void {
    this.#slot.readers++;
  }

  release(): void {
    assert(this.#slot.readers > 0, 'an output was released twice');
    if (--this.#slot.readers === 0) this.arena.give(this.#slot);
  }

  /** The rows of all requests lie one behind the other in one tensor for each output. */
  #isShared(): boolean {
    return this.#form.batching && !this.batch.inParts;
  }

  #isString(index: number): boolean {
    return this.#form.strings[index]! >= 0;
  }

  #rowBytes(index: number): number {
    const line = this.#line(index, 0);
    const rows = this.arena.table[line + LINE_DIMS]!;
    return rows === 0 ? 0 : this.arena.table[line + LINE_BYTES]! / rows;
  }

  /** Where the part of request `entry` begins in a BYTES output of a batching model, in bytes from the output's begin. */
  #cut(index: number, entry: number): number {
    const first = lineOf(this.#slot.offset, this.#form.count);
    return this.arena.table[first + this.#form.strings[index]! * (this.batch.entries + 1) + entry]!;
  }

  #line(index: number, entry: number): number {
    const line = this.batch.inParts ? entry * (this.#form.count + 1) + index : index;
    return lineOf(this.#slot.offset, line);
  }
}

/** Bytes of an output slot for `rows` rows of outputs with these row sizes behind a table of `table` bytes. */
export function outputBytes(table: number, rowBytes: readonly number[], rows: number): number {
  let bytes = alignUp(table);
  for (const row of rowBytes) bytes += alignUp(row * rows);
  return bytes;
}
