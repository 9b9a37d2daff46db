import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { VARIABLE } from '../../src/memory/layout.js';
import { elementBytes } from '../../src/types/datatype.js';
import { type SealedBatch, TableLine } from '../batch.js';
import { InputBinder } from '../inputs.js';
import { TensorView } from './tensors.js';

/** Where a request lies. */
export interface EntryPlace {
  /** Byte offset of its block of rows, or of its slot. */
  readonly slot: number;
  /** Row in the block; VARIABLE = it has a slot. */
  readonly firstRow: number;
  readonly rows: number;
}

/** Finds the inputs of a batch, of one of its requests or of all together, where they lie in the arena. */
export class EntryInputs {
  readonly #init: InstanceInit;
  readonly #batch: SealedBatch;
  readonly #arena: Uint8Array;
  readonly #table: Float64Array;
  readonly #line = new TableLine();
  readonly #binders: readonly InputBinder[];
  readonly #indices: ReadonlyMap<string, number>;
  /** Rows of the batch had to be copied together. */
  hasGathered = false;

  constructor(init: InstanceInit, batch: SealedBatch) {
    this.#init = init;
    this.#batch = batch;
    this.#arena = new Uint8Array(init.arena);
    this.#table = new Float64Array(init.arena);
    this.#binders = init.inputs.map((_, index) => new InputBinder(init, index));
    this.#indices = new Map(init.inputs.map(({ name }, index) => [name, index]));
  }

  /** Null = the request leaves it out. */
  of({ slot, firstRow, rows }: EntryPlace, name: string): TensorView | null {
    const index = this.#indexOf(name);
    const layout = this.#init.inputs[index]!;
    if (firstRow === VARIABLE) return this.#inSlot(slot, index, layout);
    const begin = slot + layout.planeOffset + firstRow * layout.rowBytes;
    const dims = this.#init.batching ? [rows, ...layout.dims] : layout.dims;
    return this.#view(layout, dims, begin, rows * layout.rowBytes);
  }

  /** All rows as one tensor; null = the requests leave it out. */
  ofAll(name: string): TensorView | null {
    const binder = this.#binders[this.#indexOf(name)]!;
    const bound = binder.bind(this.#batch);
    if (bound === null) return null;
    const { dims, memory, begin, bytes } = bound;
    if (memory.buffer !== this.#arena.buffer) this.hasGathered = true;
    return new TensorView(name, binder.layout.datatype, [...dims], memory.subarray(begin, begin + bytes));
  }

  /** What the request says beside its tensors, as JSON; '' = nothing. */
  head({ slot, firstRow }: EntryPlace): string {
    if (firstRow !== VARIABLE) return '';
    this.#line.read(this.#table, slot, this.#init.inputs.length);
    const { begin, bytes } = this.#line;
    return begin < 0 ? '' : Buffer.from(this.#arena.buffer, begin, bytes).toString();
  }

  #inSlot(slot: number, index: number, layout: TensorLayout): TensorView | null {
    this.#line.read(this.#table, slot, index);
    const { begin, bytes, dims } = this.#line;
    return begin < 0 ? null : this.#view(layout, [...dims], begin, bytes);
  }

  #view({ name, datatype }: TensorLayout, dims: readonly number[], begin: number, bytes: number): TensorView {
    const there = this.#arena.subarray(begin, begin + bytes);
    const isAligned = begin % Math.max(1, elementBytes[datatype]) === 0;
    return new TensorView(name, datatype, dims, isAligned ? there : there.slice());
  }

  #indexOf(name: string): number {
    const index = this.#indices.get(name);
    if (index !== undefined) return index;
    const known = this.#init.inputs.map((input) => `'${input.name}'`).join(', ');
    throw new TypeError(`model '${this.#init.model}' has no input '${name}'; it has ${known}`);
  }
}
