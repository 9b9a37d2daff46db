import { invalid } from '../types/errors.js';
import type { OutputTensor } from '../types/infer.js';
import { elementCount, type Shape } from '../types/tensor.js';
import { typedArrays } from '../types/typed-array.js';
import { bestIndices, type Values } from './best-indices.js';

const MOST_ELEMENTS = 1_000_000;

const classified = ['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP32', 'FP64'];

/** A BYTES tensor of `value:index[:label]` texts. */
export interface Classification {
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** One of the highest values of a batch entry, and its place there. */
export interface BestValue {
  readonly index: number;
  readonly value: number | bigint;
}

/**
 * The `k` highest values of each batch entry, descending, of equal ones the lower index first, NaN last (fact sheet 2.3). Throws
 * INVALID_ARGUMENT for datatypes that have no classes, and for more than 1,000,000 elements in an entry.
 * @param rows batch entries of a batching model; null = the whole tensor is one
 * @param labels by index; missing and empty ones are left out
 */
export function classify(
  tensor: OutputTensor,
  k: number,
  rows: number | null,
  labels: readonly string[] | null,
): Classification {
  const isFloat = tensor.datatype.startsWith('FP');
  const entries = bestValues(tensor, k, rows);
  const texts = entries.flatMap((best) =>
    best.map(({ index, value }) => classText(value, isFloat, index, labels?.[index] ?? '')),
  );
  const count = entries[0]?.length ?? 0;
  return { shape: rows === null ? [count] : [rows, count], bytes: encode(texts) };
}

/** As `classify`: the same values and their places, for each batch entry. */
export function bestValues(tensor: OutputTensor, k: number, rows: number | null): BestValue[][] {
  if (!classified.includes(tensor.datatype)) {
    throw invalid(`class result not available for output due to unsupported type '${tensor.datatype}'`);
  }
  const perRow = elementCount(rows === null ? tensor.shape : tensor.shape.slice(1));
  if (perRow > MOST_ELEMENTS) throw invalid('classification output tensor too large');
  const values = valuesOf(tensor);
  const count = Math.min(k, perRow);
  return Array.from({ length: rows ?? 1 }, (_, row) => {
    const entry = values.subarray(row * perRow, (row + 1) * perRow);
    return bestIndices(entry, count).map((index) => ({ index, value: entry[index]! }));
  });
}

function classText(value: number | bigint, isFloat: boolean, index: number, label: string): string {
  const text = isFloat ? fixedSix(value as number) : String(value);
  return label === '' ? `${text}:${index}` : `${text}:${index}:${label}`;
}

function valuesOf({ datatype, bytes }: OutputTensor): Values & { subarray(begin: number, end: number): Values } {
  const View = typedArrays[datatype as keyof typeof typedArrays];
  const isAligned = bytes.byteOffset % View.BYTES_PER_ELEMENT === 0;
  const own = isAligned ? bytes : bytes.slice();
  return new View(own.buffer, own.byteOffset, own.length / View.BYTES_PER_ELEMENT);
}

/** `%f` of C: six decimals of the exact binary value, ties to even; inf, -inf, nan (fact sheet 13.2 item 18). */
export function fixedSix(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const millionths = roundedMillionths(Math.abs(value)).toString().padStart(7, '0');
  return `${sign}${millionths.slice(0, -6)}.${millionths.slice(-6)}`;
}

/** value * 10^6, exactly, rounded half to even: value = mantissa * 2^exponent. */
function roundedMillionths(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = field === 0 ? fraction : fraction | (1n << 52n);
  const exponent = (field === 0 ? 1 : field) - 1075;
  const scaled = mantissa * 1_000_000n;
  if (exponent >= 0) return scaled << BigInt(exponent);
  const divisor = 1n << BigInt(-exponent);
  const quotient = scaled / divisor;
  const twice = (scaled % divisor) * 2n;
  return twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

function encode(texts: readonly string[]): Uint8Array {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let at = 0;
  texts.forEach((text, nth) => {
    bytes.writeUInt32LE(lengths[nth]!, at);
    bytes.write(text, at + 4);
    at += 4 + lengths[nth]!;
  });
  return bytes;
}
