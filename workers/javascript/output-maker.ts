import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { MAX_RANK } from '../../src/memory/layout.js';
import { type DataType, elementBytes } from '../../src/types/datatype.js';
import { elementCount, type Shape, shapeText } from '../../src/types/tensor.js';
import type { BytesValue, DataOf } from './model-api.js';
import { bytesOfValues, viewOf, writeValues } from './tensors.js';

/** What an author may give as the elements of an output. */
export type Values = ArrayLike<number> | ArrayLike<bigint> | readonly BytesValue[];

/** The elements of an output to be written; undefined for BYTES, which are written whole. */
export type Written = DataOf[Exclude<DataType, 'BYTES'>] | undefined;

/** An output that its model may have, and its size. */
export interface CheckedOutput {
  readonly index: number;
  readonly layout: TensorLayout;
  /** With the batch dimension, where there is one. */
  readonly dims: Shape;
  readonly bytes: number;
  readonly values: Values | undefined;
}

/** Holds the outputs that a model makes against its configuration. What it throws names both. */
export class OutputMaker {
  readonly names: readonly string[];
  readonly batching: boolean;
  readonly #model: string;
  readonly #layouts: readonly TensorLayout[];

  constructor({ model, batching, outputs }: InstanceInit) {
    this.names = outputs.map(({ name }) => name);
    this.batching = batching;
    this.#model = model;
    this.#layouts = outputs;
  }

  /** An output of `rows` rows; `shape` has the batch dimension where the model batches. */
  check(rows: number, name: string, shape: Shape, values?: Values): CheckedOutput {
    const index = this.indexOf(name);
    const layout = this.#layouts[index]!;
    const { dims } = layout;
    const own = this.batching ? shape.slice(1) : shape;
    const isNatural = shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && shape.length <= MAX_RANK;
    const fits = own.length === dims.length && dims.every((dim, axis) => dim === -1 || dim === own[axis]);
    if (!isNatural || !fits || (this.batching && shape[0] !== rows)) {
      const expected = shapeText(this.batching ? [rows, ...dims] : dims);
      throw new RangeError(
        `output '${name}' of model '${this.#model}' was made with shape ${shapeText(shape)}, expected ${expected}`,
      );
    }
    const elements = elementCount(shape);
    const what = `output '${layout.name}' of model '${this.#model}'`;
    checkElements(what, layout.datatype, elements, values);
    const bytes =
      layout.datatype === 'BYTES'
        ? bytesOfValues(values as readonly BytesValue[])
        : elements * elementBytes[layout.datatype];
    return { index, layout, dims: [...shape], bytes, values };
  }

  /** Writes the values to `target`, which is aligned and has the bytes of the output. */
  write({ layout: { datatype }, values }: CheckedOutput, target: Uint8Array): Written {
    if (datatype === 'BYTES') {
      writeValues(values as readonly BytesValue[], target);
      return undefined;
    }
    const data = viewOf(datatype, target.buffer, target.byteOffset, target.byteLength);
    if (values !== undefined) (data as { set(from: Values): void }).set(values);
    return data;
  }

  indexOf(name: string): number {
    const index = this.names.indexOf(name);
    if (index >= 0) return index;
    const known = this.names.map((output) => `'${output}'`).join(', ');
    throw new TypeError(`model '${this.#model}' has no output '${name}'; it has ${known}`);
  }
}

/** @param tensor whose elements they are; undefined = they are written later. What it throws names both. */
export function checkElements(tensor: string, datatype: DataType, elements: number, values?: Values): void {
  const refused = (expected: string, found: string) =>
    new TypeError(`${tensor} is ${datatype}: expected ${expected} as its values, found ${found}`);
  if (values === undefined) {
    if (datatype === 'BYTES') throw refused('a list of strings or Uint8Arrays', 'none');
    return;
  }
  if (values.length !== elements) throw refused(`${elements} elements`, String(values.length));
  const { what, isGood } = kindOf(datatype);
  // Elements of a typed array are all alike.
  const looked = ArrayBuffer.isView(values) ? Math.min(1, values.length) : values.length;
  for (let index = 0; index < looked; index++) {
    const value: unknown = values[index];
    if (!isGood(value)) throw refused(what, typeof value);
  }
}

function kindOf(datatype: DataType): { readonly what: string; readonly isGood: (value: unknown) => boolean } {
  if (datatype === 'BYTES') {
    return {
      what: 'strings or Uint8Arrays',
      isGood: (value) => typeof value === 'string' || value instanceof Uint8Array,
    };
  }
  if (datatype === 'INT64' || datatype === 'UINT64') {
    return { what: 'bigints', isGood: (value) => typeof value === 'bigint' };
  }
  return { what: 'numbers', isGood: (value) => typeof value === 'number' };
}
