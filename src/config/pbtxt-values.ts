import { closest } from 'fastest-levenshtein';
import { shorten, type Token } from './pbtxt-tokens.js';
import type { FieldSchema } from './schema.js';

/** A value, or the words for what was expected instead. */
export type ScalarResult = { readonly value: unknown } | { readonly expected: string };

const TRUE = ['true', 'True', 't'];
const FALSE = ['false', 'False', 'f'];

const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Reads one scalar or enum value. 64-bit integers are numbers where that is exact, else bigints. */
export function scalarValue(token: Token, field: Pick<FieldSchema, 'kind' | 'scalar' | 'values'>): ScalarResult {
  if (field.kind === 'enum') return enumValue(token, field.values);
  if (field.scalar === 'string')
    return token.kind === 'string' ? { value: token.text } : { expected: 'a quoted string' };
  if (field.scalar === 'bool') return boolValue(token);
  if (field.scalar === 'float' || field.scalar === 'double') return floatValue(token, field.scalar);
  return integerValue(token, field.scalar);
}

function enumValue(token: Token, values: Readonly<Record<string, number>>): ScalarResult {
  const names = Object.keys(values);
  if (token.kind === 'number') {
    const number = integer(token.text);
    const name = names.find((candidate) => number !== null && BigInt(values[candidate]!) === number);
    if (name !== undefined) return { value: name };
  } else if (token.kind === 'name') {
    if (Object.hasOwn(values, token.text)) return { value: token.text };
    return { expected: `one of ${names.join(', ')} (did you mean ${closest(shorten(token.text), names)}?)` };
  }
  return { expected: `one of ${names.join(', ')}` };
}

function boolValue(token: Token): ScalarResult {
  const number = token.kind === 'number' ? integer(token.text) : null;
  if (number === 1n || (token.kind === 'name' && TRUE.includes(token.text))) return { value: true };
  if (number === 0n || (token.kind === 'name' && FALSE.includes(token.text))) return { value: false };
  return { expected: 'true or false' };
}

/** Decimal only, as in protobuf: hex and octal are for integers. Beyond the type's range it is infinite. */
function floatValue(token: Token, scalar: string): ScalarResult {
  const expected = 'a decimal number, inf or nan';
  if (token.kind !== 'number' && token.kind !== 'name') return { expected };
  const word = token.text.toLowerCase();
  const special = /^(-?)(inf|infinity|nan)f?$/.exec(word);
  if (special !== null) {
    const magnitude = special[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return { value: special[1] === '-' ? -magnitude : magnitude };
  }
  if (token.kind !== 'number' || /^-?0[x0-9]/.test(word)) return { expected };
  const value = Number(word.replace(/f$/, ''));
  return { value: scalar === 'float' ? Math.fround(value) : value };
}

function integerValue(token: Token, scalar: string): ScalarResult {
  const [least, most] = ranges[scalar]!;
  const expected = `an integer from ${least} to ${most}`;
  if (token.kind !== 'number') return { expected };
  const value = integer(token.text);
  if (value === null || value < least || value > most) return { expected };
  const number = Number(value);
  return { value: Number.isSafeInteger(number) ? number : value };
}

/** A decimal, hex (`0x1F`) or octal (`017`) integer; null = the number is none. */
function integer(text: string): bigint | null {
  const match = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (match === null) return null;
  const digits = match[2]!;
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return match[1] === '-' ? -magnitude : magnitude;
}
