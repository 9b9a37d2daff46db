import type { StateLayout } from '../src/backends/worker-protocol.js';
import { assert } from '../src/base/assert.js';
import { ServerError } from '../src/types/errors.js';
import { type Shape, sameShape, shapeText } from '../src/types/tensor.js';
import type { OrtValues } from './ort-values.js';

/** The rows of a batch as their states see them: the state slot of each, or NOBODY, and whether it begins anew. */
export interface StateRows {
  readonly count: number;
  readonly slots: Int32Array;
  readonly isFresh: Uint8Array;
}

/** The slot of a filler row: its state is zeros, and what it would leave is dropped. */
export const NOBODY = -1;

/** Where a row of a batch takes its state from. */
export type RowSource =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'initial' }
  | { readonly kind: 'resident'; readonly row: number }
  | { readonly kind: 'parked'; readonly parked: ParkedRow };

/** The state of a slot that is not in the last batch. */
export interface ParkedRow {
  dims: Shape;
  bytes: Uint8Array;
}

const ZEROS: RowSource = { kind: 'zeros' };
const INITIAL: RowSource = { kind: 'initial' };

/**
 * One state of all sequences of an instance. The states of the last batch are *resident*: they lie in the tensor that its execution left,
 * row by row, and are fed as they are where the next batch has the same slots in the same rows. Only where it differs are rows gathered,
 * and those that it does not have are *parked*. Nothing that is there is lost before an execution went well.
 */
export abstract class StateTensor {
  readonly layout: StateLayout;
  protected readonly values: OrtValues;
  readonly #batching: boolean;
  /** The tensor of the last batch; 0n = there was none. */
  protected resident = 0n;
  /** Shape of one of its rows. */
  #residentDims: Shape = [];
  /** The slots of its rows, and the row of each slot. */
  readonly #slots: number[] = [];
  readonly #rowOf = new Map<number, number>();
  readonly #parked = new Map<number, ParkedRow>();
  /** What this run is given, where it is not the resident tensor. */
  #gathered = 0n;
  /** Shape of a row of what this run left. */
  #acceptedDims: Shape = [];

  constructor(layout: StateLayout, values: OrtValues, batching: boolean) {
    this.layout = layout;
    this.values = values;
    this.#batching = batching;
  }

  /** The tensor to feed, written to `into`. */
  prepare(rows: StateRows, into: BigUint64Array): void {
    if (this.#isSame(rows) && this.reset(rows, this.#residentDims)) {
      into[0] = this.resident;
      return;
    }
    const sources = Array.from({ length: rows.count }, (_, row) => this.#sourceOf(rows, row));
    const dims = this.#commonDims(sources);
    this.gather(sources, dims, this.#batching ? [rows.count, ...dims] : dims, into);
    this.#gathered = into[0]!;
  }

  /** The execution went well: may `output` be the state? Throws UNSUPPORTED where its shape is not one of a state of this batch. */
  accept({ count }: StateRows, output: bigint): void {
    const { output: name, dims: declared } = this.layout;
    const full = this.values.dimsOf(output);
    const dims = this.#batching ? full.slice(1) : full;
    const fits = dims.length === declared.length && declared.every((dim, i) => dim === -1 || dim === dims[i]);
    if (fits && (!this.#batching || full[0] === count)) {
      this.#acceptedDims = dims;
      return;
    }
    const expected = this.#batching ? [count, ...declared] : declared;
    throw new ServerError(
      'UNSUPPORTED',
      `unexpected shape for state '${name}': the configuration expects ${shapeText(expected)}, the model left ${shapeText(full)}`,
    );
  }

  /** `output`, which was accepted, is the state from now on, and this tensor's. */
  commit(rows: StateRows, output: bigint): void {
    const isSame = this.#isSame(rows);
    if (!isSame) this.#parkLeavers(rows);
    if (this.resident !== 0n && this.resident !== output) this.values.release(this.resident);
    if (this.#gathered === output) this.#gathered = 0n;
    this.resident = output;
    this.#residentDims = this.#acceptedDims;
    this.left();
    if (!isSame) this.#seat(rows);
  }

  /** The run is over, however it ended. */
  endRun(): void {
    if (this.#gathered !== 0n) this.values.release(this.#gathered);
    this.#gathered = 0n;
  }

  close(): void {
    if (this.resident !== 0n) this.values.release(this.resident);
    this.resident = 0n;
  }

  /** Of a row of the resident tensor; '' = as in the beginning. */
  get shapeText(): string {
    const isInitial = sameShape(this.#residentDims, this.layout.initialDims);
    return isInitial ? '' : this.#residentDims.join('x');
  }

  /** Makes resident rows that begin anew what they are in the beginning, and fillers zeros; false = it cannot be done in place. */
  protected abstract reset(rows: StateRows, dims: Shape): boolean;
  /** Makes a tensor of these rows, which have this shape. */
  protected abstract gather(
    sources: readonly RowSource[],
    dims: Shape,
    fullDims: readonly number[],
    into: BigUint64Array,
  ): void;
  /** Copies a resident row out. */
  protected abstract park(row: number, into: ParkedRow): void;
  /** The resident tensor is another. */
  protected abstract left(): void;

  #isSame({ count, slots }: StateRows): boolean {
    if (this.resident === 0n || count !== this.#slots.length) return false;
    for (let row = 0; row < count; row++) if (slots[row] !== this.#slots[row]) return false;
    return true;
  }

  #sourceOf({ slots, isFresh }: StateRows, row: number): RowSource {
    const slot = slots[row]!;
    if (slot === NOBODY) return ZEROS;
    if (isFresh[row] === 1) return INITIAL;
    const resident = this.#rowOf.get(slot);
    if (resident !== undefined) return { kind: 'resident', row: resident };
    const parked = this.#parked.get(slot);
    return parked === undefined ? INITIAL : { kind: 'parked', parked };
  }

  /** Fillers have the shape of the others. */
  #commonDims(sources: readonly RowSource[]): Shape {
    let common: Shape | null = null;
    for (const source of sources) {
      if (source.kind === 'zeros') continue;
      const dims = this.#dimsOf(source);
      common ??= dims;
      assert(sameShape(common, dims), 'states of different shapes are in one batch');
    }
    return common ?? this.layout.initialDims;
  }

  #dimsOf(source: Exclude<RowSource, { kind: 'zeros' }>): Shape {
    if (source.kind === 'initial') return this.layout.initialDims;
    return source.kind === 'resident' ? this.#residentDims : source.parked.dims;
  }

  /** Keeps the states of slots that are in the resident tensor and not in this batch. */
  #parkLeavers({ count, slots }: StateRows): void {
    for (let row = 0; row < count; row++) this.#rowOf.delete(slots[row]!);
    for (const [slot, row] of this.#rowOf) {
      const parked = this.#parked.get(slot) ?? { dims: [], bytes: new Uint8Array(0) };
      parked.dims = this.#residentDims;
      this.park(row, parked);
      this.#parked.set(slot, parked);
    }
  }

  #seat({ count, slots }: StateRows): void {
    this.#slots.length = 0;
    this.#rowOf.clear();
    for (let row = 0; row < count; row++) {
      const slot = slots[row]!;
      this.#slots.push(slot);
      if (slot !== NOBODY) this.#rowOf.set(slot, row);
    }
  }
}
