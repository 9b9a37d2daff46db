import { elementCount, type Shape } from '../src/types/tensor.js';
import { serializeStrings } from './ort-values.js';
import { NOBODY, type ParkedRow, type RowSource, type StateRows, StateTensor } from './state-tensor.js';

/** A state of texts, which ONNX Runtime keeps in memory of its own: where a batch changes they are read and written again. */
export class StringStates extends StateTensor {
  /** The resident rows, each text with its length in front; null = not read. */
  #rows: readonly Uint8Array[] | null = null;

  protected reset({ count, slots, isFresh }: StateRows): boolean {
    for (let row = 0; row < count; row++) if (slots[row] === NOBODY || isFresh[row] === 1) return false;
    return true;
  }

  protected gather(
    sources: readonly RowSource[],
    dims: Shape,
    fullDims: readonly number[],
    into: BigUint64Array,
  ): void {
    // An empty text is a length of zero.
    const zeros = new Uint8Array(4 * elementCount(dims));
    const texts = Buffer.concat(sources.map((source) => this.#rowOf(source, dims, zeros)));
    // Never empty: it must have an address.
    const memory = texts.length === 0 ? new Uint8Array(4) : texts;
    this.values.makeStrings(fullDims, memory, 0, texts.length, into);
  }

  protected park(row: number, parked: ParkedRow): void {
    parked.bytes = this.#residentRows(parked.dims)[row]!;
  }

  protected left(): void {
    this.#rows = null;
  }

  #rowOf(source: RowSource, dims: Shape, zeros: Uint8Array): Uint8Array {
    if (source.kind === 'zeros') return zeros;
    if (source.kind === 'initial') return this.layout.initial;
    return source.kind === 'parked' ? source.parked.bytes : this.#residentRows(dims)[source.row]!;
  }

  #residentRows(dims: Shape): readonly Uint8Array[] {
    this.#rows ??= serializeStrings(this.values, this.resident, elementCount(dims));
    return this.#rows;
  }
}
