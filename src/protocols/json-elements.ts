import type { DataType } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import { fromHalf } from '../types/half.js';
import type { OutputTensor, ParameterValue } from '../types/infer.js';
import type { JsonWriter } from './json-writer.js';

/** 32-bit words, least significant first, as the doubles and floats they are. */
const words = new Int32Array(2);
const float32 = new Float32Array(words.buffer, 0, 1);
const float64 = new Float64Array(words.buffer);

export function writeParameter(writer: JsonWriter, value: ParameterValue): void {
  if (typeof value === 'string') writer.string(value);
  else if (typeof value !== 'number') writer.text(String(value));
  else if (Number.isSafeInteger(value)) writer.integer(value);
  else writer.double(value);
}

/** Throws INVALID_ARGUMENT that names the output for a datatype that has no JSON. */
export function elementWriter({ name, datatype }: Pick<OutputTensor, 'name' | 'datatype'>): ElementWriter {
  const write = elementWriters[datatype];
  if (write !== null) return write;
  throw invalid(
    `sending ${datatype} data via JSON is not supported. Please use the binary data format for output ${name}`,
  );
}

/** Writes the element at byte `at` of a tensor; the result is the bytes it takes. */
export type ElementWriter = (writer: JsonWriter, bytes: Uint8Array, at: number) => number;

const elementWriters: Readonly<Record<DataType, ElementWriter | null>> = {
  BOOL: (writer, bytes, at) => {
    writer.text(bytes[at] === 0 ? 'false' : 'true');
    return 1;
  },
  UINT8: (writer, bytes, at) => {
    writer.integer(bytes[at]!);
    return 1;
  },
  INT8: (writer, bytes, at) => {
    writer.integer((bytes[at]! << 24) >> 24);
    return 1;
  },
  UINT16: (writer, bytes, at) => {
    writer.integer(shortAt(bytes, at));
    return 2;
  },
  INT16: (writer, bytes, at) => {
    writer.integer((shortAt(bytes, at) << 16) >> 16);
    return 2;
  },
  UINT32: (writer, bytes, at) => {
    writer.integer(wordAt(bytes, at) >>> 0);
    return 4;
  },
  INT32: (writer, bytes, at) => {
    writer.integer(wordAt(bytes, at));
    return 4;
  },
  UINT64: (writer, bytes, at) => writeLong(writer, bytes, at, wordAt(bytes, at + 4) >>> 0),
  INT64: (writer, bytes, at) => writeLong(writer, bytes, at, wordAt(bytes, at + 4)),
  FP16: (writer, bytes, at) => {
    writer.double(fromHalf(shortAt(bytes, at)));
    return 2;
  },
  FP32: (writer, bytes, at) => {
    words[0] = wordAt(bytes, at);
    writer.double(float32[0]!);
    return 4;
  },
  FP64: (writer, bytes, at) => {
    words[0] = wordAt(bytes, at);
    words[1] = wordAt(bytes, at + 4);
    writer.double(float64[0]!);
    return 8;
  },
  BYTES: (writer, bytes, at) => {
    const begin = at + 4;
    const end = begin + (wordAt(bytes, at) >>> 0);
    writer.utf8(bytes, begin, Math.min(end, bytes.length));
    return end - at;
  },
  BF16: null,
};

/** Writes the elements in `bytes` from `begin` to `end`, with commas between them. */
export function writeElements(
  writer: JsonWriter,
  bytes: Uint8Array,
  begin: number,
  end: number,
  write: ElementWriter,
): void {
  for (let at = begin; at < end; ) {
    if (at > begin) writer.text(',');
    at += write(writer, bytes, at);
  }
}

/** `high` is the upper word with its sign, where the type has one. */
function writeLong(writer: JsonWriter, bytes: Uint8Array, at: number, high: number): number {
  const low = wordAt(bytes, at) >>> 0;
  const value = high * 2 ** 32 + low;
  if (Number.isSafeInteger(value)) writer.integer(value);
  else writer.text(String((BigInt(high) << 32n) + BigInt(low)));
  return 8;
}

function shortAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
