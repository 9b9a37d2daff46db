import { copyBytes } from '../../src/memory/copy.js';
import { type DataType, elementBytes } from '../../src/types/datatype.js';
import { typedArrays } from '../../src/types/typed-array.js';
import type { BytesValue, DataOf, Tensor } from './model-api.js';

type NumberArray = DataOf[Exclude<DataType, 'BYTES'>];

/** `bytes` bytes of `buffer` from `begin` on, which is aligned to the elements. */
export function viewOf(
  datatype: Exclude<DataType, 'BYTES'>,
  buffer: ArrayBufferLike,
  begin: number,
  bytes: number,
): NumberArray {
  return new typedArrays[datatype](buffer, begin, bytes / elementBytes[datatype]);
}

/** A tensor in memory that others may write when the request is answered. Its elements are looked up when they are asked for. */
export class TensorView implements Tensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly #bytes: Uint8Array;
  #data: DataOf[DataType] | null = null;

  /** @param bytes aligned to the elements; those of BYTES have their length in front of them */
  constructor(name: string, datatype: DataType, shape: readonly number[], bytes: Uint8Array) {
    this.name = name;
    this.datatype = datatype;
    this.shape = shape;
    this.#bytes = bytes;
  }

  get data(): DataOf[DataType] {
    this.#data ??= this.#read();
    return this.#data;
  }

  strings(): string[] {
    if (this.datatype !== 'BYTES') throw new TypeError(`input '${this.name}' is ${this.datatype} and has no strings`);
    return (this.data as readonly Uint8Array[]).map((element) =>
      Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString(),
    );
  }

  #read(): DataOf[DataType] {
    const bytes = this.#bytes;
    if (this.datatype === 'BYTES') return elementsOf(bytes);
    return viewOf(this.datatype, bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

function elementsOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = view.getUint32(at, true);
    elements.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return elements;
}

/** Bytes that these elements of BYTES take, each with its length in front. */
export function bytesOfValues(values: readonly BytesValue[]): number {
  let bytes = 4 * values.length;
  for (const value of values) bytes += typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
  return bytes;
}

export function writeValues(values: readonly BytesValue[], target: Uint8Array): void {
  const buffer = Buffer.from(target.buffer, target.byteOffset, target.byteLength);
  let at = 0;
  for (const value of values) {
    const length = typeof value === 'string' ? buffer.write(value, at + 4) : value.byteLength;
    buffer.writeUInt32LE(length, at);
    if (typeof value !== 'string') copyBytes(value, 0, target, at + 4, length);
    at += 4 + length;
  }
}
