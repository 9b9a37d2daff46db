import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { copyBytes } from '../src/memory/copy.js';
import { VARIABLE } from '../src/memory/layout.js';
import { elementBytes } from '../src/types/datatype.js';
import { elementCount, type Shape } from '../src/types/tensor.js';
import { lineBegin, type SealedBatch, TableLine } from './batch.js';

/** One input of one execution: `bytes` bytes of `memory` from `begin` on, which is aligned to its elements; BYTES with their lengths. */
export interface BoundInput {
  dims: readonly number[];
  /** The arena, or memory of the binder's own. */
  memory: Uint8Array;
  begin: number;
  bytes: number;
}

/**
 * Finds one input of a batch: where it lies in the arena if the batch is one range of it, else a gathered copy. Owns the memory that
 * it copies into.
 */
export class InputBinder {
  readonly layout: TensorLayout;
  readonly #index: number;
  readonly #batching: boolean;
  readonly #arena: Uint8Array;
  readonly #table: Float64Array;
  readonly #alignment: number;
  readonly #line = new TableLine();
  /** Of the rows of one entry in a plane. */
  readonly #planeDims: number[];
  readonly #bound: BoundInput;
  /** Never empty: it must have an address. */
  #scratch = new Uint8Array(64);

  constructor(init: InstanceInit, index: number) {
    this.layout = init.inputs[index]!;
    this.#index = index;
    this.#batching = init.batching;
    this.#arena = new Uint8Array(init.arena);
    this.#table = new Float64Array(init.arena);
    this.#alignment = Math.max(1, elementBytes[this.layout.datatype]);
    this.#planeDims = [0, ...this.layout.dims];
    this.#bound = { dims: [], memory: this.#arena, begin: 0, bytes: 0 };
  }

  /** Null = the batch has no such input. The result is valid until the next call. */
  bind(batch: SealedBatch): BoundInput | null {
    if (batch.contiguous) return this.#bindPlane(batch);
    if (batch.entries === 1) return this.#bindSlot(batch);
    return this.#gather(batch);
  }

  #bindPlane(batch: SealedBatch): BoundInput {
    const { rowBytes, dims } = this.layout;
    this.#bound.dims = this.#fed(this.#batching ? [batch.rows, ...dims] : dims);
    return this.#setRange(this.#planeBegin(batch, 0), batch.rows * rowBytes);
  }

  #bindSlot(batch: SealedBatch): BoundInput | null {
    this.#line.read(this.#table, batch.slots[0]!, this.#index);
    if (this.#line.begin < 0) return null;
    this.#bound.dims = this.#fed(this.#line.dims);
    return this.#setRange(this.#line.begin, this.#line.bytes);
  }

  #gather(batch: SealedBatch): BoundInput | null {
    // Parts that are neighbours are one piece; where all are, it is the tensor.
    let begin = 0;
    let bytes = 0;
    let copied = 0;
    let elements = 0;
    for (let entry = 0; entry < batch.entries; entry++) {
      const at = this.#locate(batch, entry);
      if (at < 0) return null;
      if (entry > 0 && at !== begin + bytes) {
        copied = this.#copy(begin, bytes, copied);
        bytes = 0;
      }
      if (bytes === 0) begin = at;
      bytes += this.#line.bytes;
      if (this.layout.ragged) elements += elementCount(this.#line.dims);
    }
    this.#bound.dims = this.layout.ragged ? [elements] : [batch.rows, ...this.#line.dims.slice(1)];
    if (copied === 0) return this.#setRange(begin, bytes);
    copied = this.#copy(begin, bytes, copied);
    return this.#set(this.#scratch, 0, copied);
  }

  /** Copies a piece behind the `length` bytes that are there already; the result is how many are there then. */
  #copy(begin: number, bytes: number, length: number): number {
    this.#reserve(length + bytes);
    copyBytes(this.#arena, begin, this.#scratch, length, bytes);
    return length + bytes;
  }

  /** Byte position of one entry's part; its length and dimensions are in `#line`. -1 = absent. */
  #locate(batch: SealedBatch, entry: number): number {
    const isSlot = batch.firstRows[entry] === VARIABLE;
    if (isSlot && (!this.#batching || this.layout.rowBytes === 0)) {
      this.#line.read(this.#table, batch.slots[entry]!, this.#index);
      return this.#line.begin;
    }
    const rows = batch.rowCounts[entry]!;
    this.#line.bytes = rows * this.layout.rowBytes;
    this.#planeDims[0] = rows;
    this.#line.dims = this.#planeDims;
    // The rest of its line is known: it is in another core's cache.
    return isSlot ? lineBegin(this.#table, batch.slots[entry]!, this.#index) : this.#planeBegin(batch, entry);
  }

  #planeBegin(batch: SealedBatch, entry: number): number {
    return batch.slots[entry]! + this.layout.planeOffset + batch.firstRows[entry]! * this.layout.rowBytes;
  }

  /** The shape that the backend gets for one that the requests have together. */
  #fed(shape: Shape): Shape {
    return this.layout.ragged ? [elementCount(shape)] : shape;
  }

  #setRange(begin: number, bytes: number): BoundInput {
    if (begin % this.#alignment === 0) return this.#set(this.#arena, begin, bytes);
    this.#reserve(bytes);
    copyBytes(this.#arena, begin, this.#scratch, 0, bytes);
    return this.#set(this.#scratch, 0, bytes);
  }

  #set(memory: Uint8Array, begin: number, bytes: number): BoundInput {
    this.#bound.memory = memory;
    this.#bound.begin = begin;
    this.#bound.bytes = bytes;
    return this.#bound;
  }

  #reserve(bytes: number): void {
    if (this.#scratch.length >= bytes) return;
    const grown = new Uint8Array(Math.max(bytes, this.#scratch.length * 2, 1024));
    grown.set(this.#scratch);
    this.#scratch = grown;
  }
}
