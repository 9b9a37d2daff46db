import type { InstanceInit, TensorLayout } from '../../src/backends/worker-protocol.js';
import { MAX_RANK } from '../../src/memory/layout.js';
import { type DataType, elementBytes } from '../../src/types/datatype.js';
import { elementCount, type Shape, shapeText } from '../../src/types/tensor.js';
import type { BytesValue, DataOf } from './model-api.js';
import type { OutputParts, Region } from './output-parts.js';
import { bytesOfValues, viewOf, writeValues } from './tensors.js';

/** What an author may give as the elements of an output. */
export type Values = ArrayLike<number> | ArrayLike<bigint> | readonly BytesValue[];

type Written = DataOf[Exclude<DataType, 'BYTES'>] | undefined;

/** Where requests of a batch are: which entry, and how many rows. */
export interface Entry {
  readonly index: number;
  readonly rows: number;
}

/** Makes the outputs that a model asks for, where they are such as its configuration says. What it throws names both. */
export class OutputMaker {
  readonly names: readonly string[];
  readonly #model: string;
  readonly #batching: boolean;
  readonly #layouts: readonly TensorLayout[];
  readonly #parts: OutputParts;

  constructor({ model, batching, outputs }: InstanceInit, parts: OutputParts) {
    this.names = outputs.map(({ name }) => name);
    this.#model = model;
    this.#batching = batching;
    this.#layouts = outputs;
    this.#parts = parts;
  }

  /** Of one request; `shape` has the batch dimension where the model batches. */
  make({ index, rows }: Entry, name: string, shape: Shape, values?: Values): Written {
    const output = this.indexOf(name);
    const layout = this.#layouts[output]!;
    const isBatched = !this.#batching || shape[0] === rows;
    if (!isBatched) throw this.#shapeError(layout, shape, [rows, ...layout.dims]);
    this.#check(layout, this.#batching ? shape.slice(1) : shape, shape);
    const { region, data } = this.#write(layout, elementCount(shape), values);
    this.#parts.set(index, output, { region, at: 0, bytes: region.bytes.length, dims: [...shape] });
    return data;
  }

  /** Of all requests of a batch, one behind the other; `rowShape` has no batch dimension. */
  makeAll(entries: readonly Entry[], name: string, rowShape: Shape, values?: Values): Written {
    if (!this.#batching) return this.make(entries[0]!, name, rowShape, values);
    const output = this.indexOf(name);
    const layout = this.#layouts[output]!;
    this.#check(layout, rowShape, rowShape);
    const perRow = elementCount(rowShape);
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    const { region, data } = this.#write(layout, rows * perRow, values);
    let at = 0;
    let row = 0;
    for (const entry of entries) {
      const elements = entry.rows * perRow;
      const bytes = isBytes(layout)
        ? bytesOfValues((values as readonly BytesValue[]).slice(row * perRow, row * perRow + elements))
        : elements * elementBytes[layout.datatype];
      this.#parts.set(entry.index, output, { region, at, bytes, dims: [entry.rows, ...rowShape] });
      at += bytes;
      row += entry.rows;
    }
    return data;
  }

  indexOf(name: string): number {
    const index = this.names.indexOf(name);
    if (index >= 0) return index;
    const known = this.names.map((output) => `'${output}'`).join(', ');
    throw new TypeError(`model '${this.#model}' has no output '${name}'; it has ${known}`);
  }

  #check(layout: TensorLayout, own: Shape, whole: Shape): void {
    const { dims } = layout;
    const isNatural = whole.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && whole.length <= MAX_RANK;
    const fits = own.length === dims.length && dims.every((dim, axis) => dim === -1 || dim === own[axis]);
    if (!isNatural || !fits) throw this.#shapeError(layout, whole, whole === own ? dims : [-1, ...dims]);
  }

  #shapeError({ name }: TensorLayout, found: Shape, expected: Shape): Error {
    return new RangeError(
      `output '${name}' of model '${this.#model}' was made with shape ${shapeText(found)}, expected ${shapeText(expected)}`,
    );
  }

  #write(layout: TensorLayout, elements: number, values?: Values): { readonly region: Region; readonly data: Written } {
    this.#checkValues(layout, elements, values);
    if (isBytes(layout)) {
      const texts = values as readonly BytesValue[];
      const region = this.#parts.take(bytesOfValues(texts));
      writeValues(texts, region.bytes);
      return { region, data: undefined };
    }
    const datatype = layout.datatype as Exclude<DataType, 'BYTES'>;
    const region = this.#parts.take(elements * elementBytes[datatype]);
    const { buffer, byteOffset, byteLength } = region.bytes;
    const data = viewOf(datatype, buffer, byteOffset, byteLength);
    if (values !== undefined) (data as { set(from: Values): void }).set(values);
    return { region, data };
  }

  #checkValues({ name, datatype }: TensorLayout, elements: number, values?: Values): void {
    const refuse = (expected: string, found: string) =>
      new TypeError(
        `output '${name}' of model '${this.#model}' is ${datatype}: expected ${expected} as its values, found ${found}`,
      );
    if (values === undefined) {
      if (datatype === 'BYTES') throw refuse('a list of strings or Uint8Arrays', 'none');
      return;
    }
    if (values.length !== elements) throw refuse(`${elements} elements`, String(values.length));
    const { what, isGood } = kindOf(datatype);
    for (let index = 0; index < values.length; index++) {
      const value: unknown = values[index];
      if (!isGood(value)) throw refuse(what, typeof value);
      // Elements of a typed array are all alike.
      if (ArrayBuffer.isView(values)) return;
    }
  }
}

function isBytes({ datatype }: TensorLayout): boolean {
  return datatype === 'BYTES';
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
