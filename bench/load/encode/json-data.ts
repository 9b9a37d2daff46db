import { isUtf8 } from 'node:buffer';
import type { DataType } from '../../../src/types/datatype.js';
import { fromHalf } from '../../../src/types/half.js';
import { DataError } from '../data/data-error.js';
import type { TensorData } from '../data/data-set.js';
import { unpackStrings } from '../data/elements.js';

/** Reads the element at byte `at` as JSON writes it. */
type Read = (bytes: Buffer, at: number) => string;

const readers: { readonly [datatype in DataType]?: readonly [size: number, read: Read] } = {
  BOOL: [1, (bytes, at) => String(bytes[at] !== 0)],
  UINT8: [1, (bytes, at) => String(bytes[at])],
  UINT16: [2, (bytes, at) => String(bytes.readUInt16LE(at))],
  UINT32: [4, (bytes, at) => String(bytes.readUInt32LE(at))],
  UINT64: [8, (bytes, at) => String(bytes.readBigUInt64LE(at))],
  INT8: [1, (bytes, at) => String(bytes.readInt8(at))],
  INT16: [2, (bytes, at) => String(bytes.readInt16LE(at))],
  INT32: [4, (bytes, at) => String(bytes.readInt32LE(at))],
  INT64: [8, (bytes, at) => String(bytes.readBigInt64LE(at))],
  FP16: [2, (bytes, at) => numberText(fromHalf(bytes.readUInt16LE(at)))],
  FP32: [4, (bytes, at) => numberText(bytes.readFloatLE(at))],
  FP64: [8, (bytes, at) => numberText(bytes.readDoubleLE(at))],
};

/** The elements as a flat JSON array, each exactly. Throws a DataError for BF16, and for strings that are not UTF-8. */
export function jsonData(tensor: TensorData): string {
  if (tensor.datatype === 'BYTES') return JSON.stringify(stringsOf(tensor));
  const reader = readers[tensor.datatype as DataType];
  if (reader === undefined) {
    throw new DataError(
      `input '${tensor.name}': ${tensor.datatype} has no JSON; send it with --input-tensor-format=binary`,
    );
  }
  const [size, read] = reader;
  const { bytes } = tensor;
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; at += size) texts.push(read(bytes, at));
  return `[${texts.join(',')}]`;
}

function stringsOf({ name, bytes }: TensorData): string[] {
  const strings = unpackStrings(bytes);
  if (strings === null)
    throw new DataError(`input '${name}': its lengths do not lead to the end of its ${bytes.length} bytes`);
  return strings.map((string, nth) => {
    if (isUtf8(string)) return string.toString();
    throw new DataError(
      `input '${name}', element ${nth}: it is not UTF-8, which JSON needs; send it with --input-tensor-format=binary`,
    );
  });
}

/** NaN, Infinity and -Infinity as Triton reads them; a zero keeps its sign. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}
