import { invalid } from '../types/errors.js';
import type { OutputTensor } from '../types/infer.js';
import { elementCount, type Shape } from '../types/tensor.js';
import { typedArrays } from '../types/typed-array.js';

const MOST_ELEMENTS = 1_000_000;

const classified = ['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP32', 'FP64'];

/** A BYTES tensor of `value:index[:label]` texts. */
export interface Classification {
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/**
 * The `k` highest values of each batch entry, descending, of equal ones the lower index first (fact sheet 2.3).
 * @param rows batch entries of a batching model; null = the whole tensor is one
 * @param labels by index; shorter than the tensor is fine
 */
export function classify(
  tensor: OutputTensor,
  k: number,
  rows: number | null,
  labels: readonly string[] | null,
): Classification {
  if (!classified.includes(tensor.datatype)) {
    throw invalid(`class result not available for output due to unsupported type '${tensor.datatype}'`);
  }
  const perRow = elementCount(rows === null ? tensor.shape : tensor.shape.slice(1));
  if (perRow > MOST_ELEMENTS) throw invalid('classification output tensor too large');
  const values = valuesOf(tensor);
  const isFloat = tensor.datatype.startsWith('FP');
  const count = Math.min(k, perRow);
  const texts: string[] = [];
  for (let row = 0; row < (rows ?? 1); row++) {
    for (const index of best(values, row * perRow, perRow, count)) {
      const label = labels?.[index];
      const value = values[row * perRow + index]!;
      const text = `${isFloat ? fixedSix(value as number) : value}:${index}`;
      texts.push(label === undefined ? text : `${text}:${label}`);
    }
  }
  return { shape: rows === null ? [count] : [rows, count], bytes: encode(texts) };
}

type Values = ArrayLike<number> | ArrayLike<bigint>;

function valuesOf({ datatype, bytes }: OutputTensor): Values {
  const View = typedArrays[datatype as keyof typeof typedArrays];
  const own = bytes.slice();
  return new View(own.buffer, 0, own.length / View.BYTES_PER_ELEMENT);
}

function best(values: Values, begin: number, length: number, count: number): number[] {
  const indices = Array.from({ length }, (_, index) => index);
  indices.sort((a, b) => {
    const [left, right] = [values[begin + a]!, values[begin + b]!];
    if (left === right) return a - b;
    return left > right || Number.isNaN(Number(right)) ? -1 : 1;
  });
  return indices.slice(0, count);
}

/** `%f` of C: six decimals of the exact binary value, ties to even (fact sheet 13.2 item 18). */
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
  const parts = texts.map((text) => Buffer.from(text));
  const bytes = Buffer.alloc(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.writeUInt32LE(part.length, at);
    part.copy(bytes, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}
