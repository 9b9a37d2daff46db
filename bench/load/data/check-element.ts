import type { DataType } from '../../../src/types/datatype.js';
import { toHalf } from '../../../src/types/half.js';
import { fromBrain, toBrain } from './elements.js';

const HALF_INFINITY = 0x7c00;

/** Whether a finite number becomes infinite in a floating-point type. */
const overflows: { readonly [datatype in DataType]?: (value: number) => boolean } = {
  FP16: (value) => (toHalf(value) & 0x7fff) === HALF_INFINITY,
  BF16: (value) => !Number.isFinite(fromBrain(toBrain(value))),
  FP32: (value) => !Number.isFinite(Math.fround(value)),
  FP64: () => false,
};

/** What is expected of a value of JSON that is an element of this datatype; null = it is one. */
export function expectedElement(datatype: DataType, value: unknown): string | null {
  if (datatype === 'BYTES') return typeof value === 'string' ? null : 'a string';
  if (datatype === 'BOOL') return typeof value === 'boolean' || value === 0 || value === 1 ? null : 'true or false';
  const overflow = overflows[datatype];
  if (overflow === undefined) return expectedInteger(datatype, value);
  if (typeof value !== 'number' && typeof value !== 'bigint') return 'a number';
  const isWrong = Number.isFinite(Number(value)) && overflow(Number(value));
  return isWrong ? `a number that ${datatype} can hold` : null;
}

function expectedInteger(datatype: DataType, value: unknown): string | null {
  const [least, most] = integerRange(datatype);
  const isInteger = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (isInteger && (value as bigint) >= least && (value as bigint) <= most) return null;
  return `a whole number from ${least} to ${most}`;
}

function integerRange(datatype: DataType): readonly [bigint, bigint] {
  const bits = BigInt(datatype.replace(/\D+/, ''));
  return datatype.startsWith('U') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}
