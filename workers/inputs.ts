import type { InstanceInit, TensorLayout } from '../src/backends/worker-protocol.js';
import { VARIABLE } from '../src/memory/layout.js';
import { type TensorData, typedArrays } from '../src/types/typed-array.js';
import { type SealedBatch, TableLine } from './batch.js';

/** One input of one execution. */
export interface BoundInput {
  dims: readonly number[];
  data: TensorData | string[];
}

/**
 * Makes one input of a batch: a view where the batch is one range and the backend takes shared memory, one copy of that range
 * where it does not, and a gathered copy where the range has gaps. Owns the memory that it copies into.
 */
export class InputBinder {
  readonly layout: TensorLayout;
  readonly #index: number;
  readonly #batching: boolean;
  readonly #shared: boolean;
  readonly #arena: Uint8Array;
  readonly #table: Float64Array;
  readonly #line = new TableLine();
  readonly #bound: BoundInput = { dims: [], data: new Uint8Array(0) };
  #scratch = new Uint8Array(0);

  constructor(init: InstanceInit, index: number) {
    this.layout = init.inputs[index]!;
    this.#index = index;
    this.#batching = init.batching;
    this.#shared = init.sharedTensors;
    this.#arena = new Uint8Array(init.arena);
    this.#table = new Float64Array(init.arena);
  }

  /** Null = the batch has no such input. The result is valid until the next call. */
  bind(batch: SealedBatch): BoundInput | null {
    if (this.layout.datatype === 'BYTES') return this.#bindStrings(batch);
    if (batch.contiguous) return this.#bindPlane(batch);
    if (batch.entries === 1) return this.#bindSlot(batch);
    return this.#gather(batch);
  }

  #bindPlane(batch: SealedBatch): BoundInput {
    const { rowBytes, dims } = this.layout;
    this.#bound.dims = this.#batching ? [batch.rows, ...dims] : dims;
    this.#setRange(this.#planeBegin(batch, 0), batch.rows * rowBytes);
    return this.#bound;
  }

  #bindSlot(batch: SealedBatch): BoundInput | null {
    this.#line.read(this.#table, batch.slots[0]!, this.#index);
    if (this.#line.begin < 0) return null;
    this.#bound.dims = this.#line.dims;
    this.#setRange(this.#line.begin, this.#line.bytes);
    return this.#bound;
  }

  #gather(batch: SealedBatch): BoundInput | null {
    let length = 0;
    for (let entry = 0; entry < batch.entries; entry++) {
      const begin = this.#locate(batch, entry);
      if (begin < 0) return null;
      const bytes = this.#line.bytes;
      this.#reserve(length + bytes);
      this.#scratch.set(this.#arena.subarray(begin, begin + bytes), length);
      length += bytes;
    }
    this.#bound.dims = this.#joinedDims(batch);
    this.#setView(this.#scratch.buffer, 0, length);
    return this.#bound;
  }

  /** Byte position of one entry's part; its length and dimensions are in `#line`. -1 = absent. */
  #locate(batch: SealedBatch, entry: number): number {
    if (batch.firstRows[entry] === VARIABLE) {
      this.#line.read(this.#table, batch.slots[entry]!, this.#index);
      return this.#line.begin;
    }
    this.#line.bytes = batch.rowCounts[entry]! * this.layout.rowBytes;
    this.#line.dims = [0, ...this.layout.dims];
    return this.#planeBegin(batch, entry);
  }

  #joinedDims(batch: SealedBatch): number[] {
    return [batch.rows, ...this.#line.dims.slice(1)];
  }

  #planeBegin(batch: SealedBatch, entry: number): number {
    return batch.slots[entry]! + this.layout.planeOffset + batch.firstRows[entry]! * this.layout.rowBytes;
  }

  #setRange(begin: number, bytes: number): void {
    const elementBytes = typedArrays[this.#datatype].BYTES_PER_ELEMENT;
    if (this.#shared && begin % elementBytes === 0) {
      this.#setView(this.#arena.buffer, begin, bytes);
      return;
    }
    this.#reserve(bytes);
    this.#scratch.set(this.#arena.subarray(begin, begin + bytes));
    this.#setView(this.#scratch.buffer, 0, bytes);
  }

  #setView(buffer: ArrayBufferLike, begin: number, bytes: number): void {
    const View = typedArrays[this.#datatype];
    this.#bound.data = new View(buffer, begin, bytes / View.BYTES_PER_ELEMENT);
  }

  get #datatype() {
    return this.layout.datatype as keyof typeof typedArrays;
  }

  #reserve(bytes: number): void {
    if (this.#scratch.length >= bytes) return;
    const grown = new Uint8Array(Math.max(bytes, this.#scratch.length * 2, 1024));
    grown.set(this.#scratch);
    this.#scratch = grown;
  }

  /** BYTES never lie in planes: each entry has a slot. Texts were checked before they were queued. */
  #bindStrings(batch: SealedBatch): BoundInput | null {
    const strings: string[] = [];
    for (let entry = 0; entry < batch.entries; entry++) {
      this.#line.read(this.#table, batch.slots[entry]!, this.#index);
      if (this.#line.begin < 0) return null;
      readStrings(this.#arena, this.#line.begin, this.#line.bytes, strings);
    }
    this.#bound.dims = this.#batching ? this.#joinedDims(batch) : this.#line.dims;
    this.#bound.data = strings;
    return this.#bound;
  }
}

/** Appends the elements of a BYTES tensor as strings. */
function readStrings(arena: Uint8Array, begin: number, bytes: number, into: string[]): void {
  const own = Buffer.from(arena.slice(begin, begin + bytes).buffer);
  for (let at = 0; at < bytes; ) {
    const length = own.readUInt32LE(at);
    into.push(own.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
}
