import { invalid, ServerError } from '../../types/errors.js';
import { bytesOfElement, elementType, fromTensorFlow } from './element-type.js';
import { broken, type Field, fields, messages, varints, whole } from './wire.js';

/** A constant. */
export interface Tensor {
  /** ONNX's number. */
  readonly type: number;
  readonly dims: readonly number[];
  /** Little-endian, row-major; empty for strings. */
  readonly bytes: Uint8Array;
  /** Of strings only. */
  readonly strings: readonly Uint8Array[];
}

/** A size that is not known is -1; null = not even the rank is. */
export type Shape = readonly number[];

/** What one element stands for is written out up to this many bytes: a file of bytes must not ask for gigabytes. */
const MAX_FILLED_BYTES = 256 * 1024 * 1024;
const MAX_RANK = 32;

/** TensorShapeProto; null = the rank is not known. */
export function readShape(bytes: Uint8Array): Shape | null {
  const dims: number[] = [];
  for (const field of fields(bytes)) {
    if (field.number === 3 && field.value !== 0n) return null;
    if (field.number === 2 && field.wire === 2) dims.push(readDim(field.bytes));
  }
  if (dims.length > MAX_RANK) throw broken(`a shape of ${dims.length} dimensions`);
  return dims;
}

function readDim(bytes: Uint8Array): number {
  let size = 0;
  for (const field of fields(bytes)) if (field.number === 1) size = whole(field.value);
  return size < 0 ? -1 : size;
}

/** Fields of TensorProto that carry elements one by one: how many bytes wide each is in the file, 0 = varints. */
const typedFields: Readonly<Record<number, number>> = { 5: 4, 6: 8, 7: 0, 10: 0, 11: 0, 13: 0, 16: 0, 17: 0 };

/** TensorProto. Throws INVALID_ARGUMENT where elements and shape do not fit, UNSUPPORTED for types that ONNX does not have. */
export function readTensor(bytes: Uint8Array): Tensor {
  let tensorFlowType = 0;
  let dims: Shape = [];
  let content: Uint8Array | null = null;
  const typed: Field[] = [];
  const strings: Uint8Array[] = [];
  for (const field of fields(bytes)) {
    if (field.number === 1) tensorFlowType = whole(field.value);
    else if (field.number === 2 && field.wire === 2) dims = readShape(field.bytes) ?? [];
    else if (field.number === 4 && field.wire === 2) content = field.bytes;
    else if (field.number === 8 && field.wire === 2) strings.push(field.bytes);
    else if (field.number in typedFields) typed.push(field);
  }
  const type = fromTensorFlow(tensorFlowType);
  const count = countOf(dims);
  if (type === elementType.STRING)
    return { type, dims, bytes: new Uint8Array(0), strings: fillStrings(strings, count) };
  const raw = content !== null && content.length > 0 ? content : fill(typed, type, count);
  if (raw.length === count * bytesOfElement(type)) return { type, dims, bytes: raw, strings: [] };
  throw broken(`a tensor of ${raw.length} bytes whose shape [${dims}] takes ${count * bytesOfElement(type)}`);
}

export function countOf(dims: Shape): number {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (count >= 0 && Number.isSafeInteger(count)) return count;
  throw broken(`a tensor of shape [${dims}]`);
}

function fillStrings(given: Uint8Array[], count: number): Uint8Array[] {
  if (given.length > count || count * 8 > MAX_FILLED_BYTES) throw broken(`${given.length} strings of ${count}`);
  const last = given.at(-1) ?? new Uint8Array(0);
  while (given.length < count) given.push(last);
  return given;
}

/** The last element given stands for all behind it; none at all is zero. */
function fill(typed: readonly Field[], type: number, count: number): Uint8Array {
  const width = bytesOfElement(type);
  if (count * width > MAX_FILLED_BYTES && typed.reduce((sum, { bytes }) => sum + bytes.length, 0) < count) {
    throw broken(`${count} elements that are not written out`);
  }
  const filled = new Uint8Array(count * width);
  let at = 0;
  for (const field of typed) {
    const run = typedFields[field.number] === 0 ? narrow(field, width) : field.bytes;
    if (run.length > filled.length - at) throw broken(`more elements than the ${count} of a tensor`);
    filled.set(run, at);
    at += run.length;
  }
  if (at % width !== 0) throw broken('a part of an element');
  if (at > 0 && at < filled.length) spread(filled, at, width);
  return filled;
}

/** Doubles what is there until it is all there. */
function spread(filled: Uint8Array, from: number, width: number): void {
  const begin = from - width;
  for (let length = width; begin + length < filled.length; length *= 2) {
    filled.copyWithin(begin + length, begin, Math.min(begin + length, filled.length - length));
  }
}

function narrow(field: Field, width: number): Uint8Array {
  const values = [...varints(field)];
  const view = new DataView(new ArrayBuffer(values.length * width));
  values.forEach((value, i) => {
    if (width === 8) view.setBigInt64(i * 8, value, true);
    else if (width === 4) view.setInt32(i * 4, Number(BigInt.asIntN(32, value)), true);
    else if (width === 2) view.setInt16(i * 2, Number(BigInt.asIntN(16, value)), true);
    else view.setInt8(i, Number(BigInt.asIntN(8, value)));
  });
  return new Uint8Array(view.buffer);
}

/** Elements of whole numbers and floats as numbers. Throws INVALID_ARGUMENT for whole numbers beyond 2^53. */
export function numbersOf({ type, bytes }: Tensor): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = bytesOfElement(type);
  return Array.from({ length: bytes.length / width }, (_, i) => readers[type]!(view, i * width));
}

const readers: Readonly<Record<number, (view: DataView, at: number) => number>> = {
  [elementType.FLOAT]: (view, at) => view.getFloat32(at, true),
  [elementType.DOUBLE]: (view, at) => view.getFloat64(at, true),
  [elementType.HALF]: (view, at) => halfToNumber(view.getUint16(at, true)),
  [elementType.BFLOAT16]: () => {
    throw new ServerError('UNSUPPORTED', 'a constant of DT_BFLOAT16 decides on the graph');
  },
  [elementType.INT8]: (view, at) => view.getInt8(at),
  [elementType.UINT8]: (view, at) => view.getUint8(at),
  [elementType.BOOL]: (view, at) => view.getUint8(at),
  [elementType.INT16]: (view, at) => view.getInt16(at, true),
  [elementType.UINT16]: (view, at) => view.getUint16(at, true),
  [elementType.INT32]: (view, at) => view.getInt32(at, true),
  [elementType.UINT32]: (view, at) => view.getUint32(at, true),
  // Slices end at the largest number there is: it is as good as any that is beyond all sizes.
  [elementType.INT64]: (view, at) => Number(view.getBigInt64(at, true)),
  [elementType.UINT64]: (view, at) => Number(view.getBigUint64(at, true)),
};

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Throws INVALID_ARGUMENT where one is no whole number: a list of the file is too short. */
export function int64s(values: readonly number[], dims: Shape = [values.length]): Tensor {
  if (!values.every((value) => Number.isInteger(value))) throw invalid(`has sizes or places ${values.map(String)}`);
  const data = BigInt64Array.from(values, clampBig);
  return { type: elementType.INT64, dims, bytes: new Uint8Array(data.buffer), strings: [] };
}

const MOST = 2n ** 63n - 1n;

function clampBig(value: number): bigint {
  const big = BigInt(value);
  return big > MOST ? MOST : big < -MOST - 1n ? -MOST - 1n : big;
}

/** A tensor of one value for all its elements. */
export function filled(type: number, value: number, dims: Shape): Tensor {
  const data = typedArray(type, new Array<number>(countOf(dims)).fill(value));
  return { type, dims, bytes: data, strings: [] };
}

/** Elements as bytes of that type. Throws UNSUPPORTED for a type that nothing is made of here. */
export function typedArray(type: number, values: readonly number[]): Uint8Array {
  const made = makers[type]?.(values);
  if (made === undefined) throw new ServerError('UNSUPPORTED', `a constant of ONNX type ${type} would have to be made`);
  return new Uint8Array(made.buffer);
}

const makers: Readonly<Record<number, (values: readonly number[]) => { buffer: ArrayBuffer }>> = {
  [elementType.FLOAT]: (values) => Float32Array.from(values),
  [elementType.DOUBLE]: (values) => Float64Array.from(values),
  [elementType.INT8]: (values) => Int8Array.from(values),
  [elementType.UINT8]: (values) => Uint8Array.from(values),
  [elementType.BOOL]: (values) => Uint8Array.from(values),
  [elementType.INT16]: (values) => Int16Array.from(values),
  [elementType.UINT16]: (values) => Uint16Array.from(values),
  [elementType.INT32]: (values) => Int32Array.from(values),
  [elementType.UINT32]: (values) => Uint32Array.from(values),
  [elementType.INT64]: (values) => BigInt64Array.from(values, clampBig),
  [elementType.HALF]: (values) => Uint16Array.from(values, numberToHalf),
};

/** Exact for the small whole numbers and 1 + epsilon that the translation makes. */
function numberToHalf(value: number): number {
  if (value === 0) return 0;
  const sign = value < 0 ? 0x8000 : 0;
  const exponent = Math.max(-14, Math.min(15, Math.floor(Math.log2(Math.abs(value)))));
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return sign + ((exponent + 15) << 10) + fraction;
}

/** The elements with dimensions in another order: `permutation[i]` is the old place of new dimension `i`. */
export function transpose({ type, dims, bytes, strings }: Tensor, permutation: readonly number[]): Tensor {
  const width = bytesOfElement(type);
  const newDims = permutation.map((axis) => dims[axis]!);
  const strides = dims.map((_, i) => countOf(dims.slice(i + 1)) * width);
  const steps = permutation.map((axis) => strides[axis]!);
  const moved = new Uint8Array(bytes.length);
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let at = 0; at < bytes.length; at += width) {
    for (let i = 0; i < width; i++) moved[at + i] = bytes[from + i]!;
    for (let axis = newDims.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < newDims[axis]!) break;
      from -= steps[axis]! * newDims[axis]!;
      index[axis] = 0;
    }
  }
  return { type, dims: newDims, bytes: moved, strings };
}

/** The first message of that number; null = there is none. */
export function messageOf(bytes: Uint8Array, number: number): Uint8Array | null {
  for (const field of messages(bytes)) if (field.number === number) return field.bytes;
  return null;
}
