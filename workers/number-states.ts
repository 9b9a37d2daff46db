import type { StateLayout } from '../src/backends/worker-protocol.js';
import { elementBytes } from '../src/types/datatype.js';
import { elementCount, type Shape } from '../src/types/tensor.js';
import type { Address } from './ort-library.js';
import type { OrtValues } from './ort-values.js';
import { NOBODY, type ParkedRow, type RowSource, type StateRows, StateTensor } from './state-tensor.js';

/** Memory of JavaScript whose address is known. Never empty, so that it has one. */
class Pinned {
  readonly bytes: Uint8Array;
  readonly base: Address;

  constructor(values: OrtValues, length: number) {
    this.bytes = new Uint8Array(Math.max(64, length));
    this.base = values.library.addressOf(this.bytes);
  }
}

/** A state of elements of fixed size: rows are moved in memory. */
export class NumberStates extends StateTensor {
  readonly #initial: Pinned;
  readonly #zeros: Pinned;
  readonly #initialBytes: number;
  /** What gathered tensors lie in. Two in turn: with `sameBuffer` one of them is the resident tensor. */
  #scratch: Pinned;
  #other: Pinned;
  /** Where parked rows lie is asked for once. */
  readonly #bases = new WeakMap<Uint8Array, Address>();
  #residentBase: Address = 0;

  constructor(layout: StateLayout, values: OrtValues, batching: boolean) {
    super(layout, values, batching);
    this.#initialBytes = layout.initial.length;
    this.#initial = new Pinned(values, this.#initialBytes);
    this.#initial.bytes.set(layout.initial);
    this.#zeros = new Pinned(values, this.#initialBytes);
    this.#scratch = new Pinned(values, 0);
    this.#other = new Pinned(values, 0);
  }

  protected reset({ count, slots, isFresh }: StateRows, dims: Shape): boolean {
    for (let row = 0; row < count; row++) {
      const isFiller = slots[row] === NOBODY;
      if (!isFiller && isFresh[row] === 0) continue;
      // Of another size than in the beginning: the batch is gathered.
      if (this.#rowBytes(dims) !== this.#initialBytes) return false;
      const from = isFiller ? this.#zeros : this.#initial;
      this.values.library.copy(this.#base + row * this.#initialBytes, from.base, this.#initialBytes);
    }
    return true;
  }

  protected gather(
    sources: readonly RowSource[],
    dims: Shape,
    fullDims: readonly number[],
    into: BigUint64Array,
  ): void {
    const rowBytes = this.#rowBytes(dims);
    const target = this.#takeScratch(rowBytes * sources.length);
    for (let row = 0; row < sources.length; row++) {
      const source = sources[row]!;
      const at = row * rowBytes;
      if (source.kind === 'resident') {
        const run = runLength(sources, row);
        this.values.library.copy(target.base + at, this.#base + source.row * rowBytes, run * rowBytes);
        row += run - 1;
      } else if (source.kind === 'parked') target.bytes.set(source.parked.bytes, at);
      else if (source.kind === 'initial') target.bytes.set(this.layout.initial, at);
      else target.bytes.fill(0, at, at + rowBytes);
    }
    this.values.make(this.layout.datatype, fullDims, target.base, rowBytes * sources.length, into);
  }

  protected park(row: number, parked: ParkedRow): void {
    const rowBytes = this.#rowBytes(parked.dims);
    if (parked.bytes.length !== rowBytes) parked.bytes = new Uint8Array(rowBytes);
    if (rowBytes > 0) this.values.library.copy(this.#baseOf(parked.bytes), this.#base + row * rowBytes, rowBytes);
  }

  protected left(): void {
    this.#residentBase = 0;
  }

  get #base(): Address {
    if (this.#residentBase === 0) this.#residentBase = this.values.addressOf(this.resident);
    return this.#residentBase;
  }

  #rowBytes(dims: Shape): number {
    return elementCount(dims) * elementBytes[this.layout.datatype];
  }

  #takeScratch(bytes: number): Pinned {
    const { sameBuffer } = this.layout;
    if (sameBuffer) [this.#scratch, this.#other] = [this.#other, this.#scratch];
    if (this.#scratch.bytes.length < bytes) this.#scratch = new Pinned(this.values, bytes * 2);
    return this.#scratch;
  }

  #baseOf(bytes: Uint8Array): Address {
    let base = this.#bases.get(bytes);
    if (base === undefined) {
      base = this.values.library.addressOf(bytes);
      this.#bases.set(bytes, base);
    }
    return base;
  }
}

/** How many rows from `first` on are resident rows one behind the other. */
function runLength(sources: readonly RowSource[], first: number): number {
  const begin = (sources[first] as { row: number }).row;
  let length = 1;
  for (; first + length < sources.length; length++) {
    const next = sources[first + length]!;
    if (next.kind !== 'resident' || next.row !== begin + length) return length;
  }
  return length;
}
