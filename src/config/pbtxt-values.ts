import { closest } from 'fastest-levenshtein';
import type { Token } from './pbtxt-tokens.js';
import type { FieldSchema } from './schema.js';

/** A value, or the words for what was expected instead. */
export type ScalarResult = { readonly value: unknown } | { readonly expected: string };

const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Reads one scalar or enum value. 64-bit integers are numbers where that is exact, else bigints. */
export function scalarValue(token: Token, field: Pick<FieldSchema, 'kind' | 'scalar' | 'values'>): ScalarResult {
  if (field.kind === 'enum') return enumValue(token, field.values);
  if (field.scalar === 'string') return token.kind === 'string' ? { value: token.text } : { expected: 'a quoted string' };
  if (field.scalar === 'bool') return boolValue(token);
  if (field.scalar === 'float' || field.scalar === 'double') return floatValue(token, field.scalar);
  return integerValue(token, field.scalar);
}

function enumValue(token: Token, values: Readonly<Record<string, number>>): ScalarResult {
  const names = Object.keys(values);
  if (token.kind === 'number') {
    const name = names.find((candidate) => values[candidate] === Number(token.text));
    if (name !== undefined) return { value: name };
  } else if (token.kind === 'name') {
    if (Object.hasOwn(values, token.text)) return { value: token.text };
    return { expected: `one of ${names.join(', ')} (did you mean ${closest(token.text, names)}?)` };
  }
  return { expected: `one of ${names.join(', ')}` };
}

function boolValue(token: Token): ScalarResult {
  if (['true', 'True', 't', '1'].includes(token.text) && token.kind !== 'string') return { value: true };
  if (['false', 'False', 'f', '0'].includes(token.text) && token.kind !== 'string') return { value: false };
  return { expected: 'true or false' };
}

function floatValue(token: Token, scalar: string): ScalarResult {
  const word = token.text.toLowerCase().replace(/^\+/, '');
  const special = /^(-?)(inf|infinity|nan)f?$/.exec(word);
  if (special !== null && token.kind !== 'string') {
    const magnitude = special[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return { value: special[1] === '-' ? -magnitude : magnitude };
  }
  if (token.kind !== 'number') return { expected: 'a number' };
  const isHex = /^-?0x/.test(word);
  const value = Number(isHex ? word.replace('-', '') : word.replace(/f$/, '')) * (isHex && word.startsWith('-') ? -1 : 1);
  if (Number.isNaN(value)) return { expected: 'a number' };
  return { value: scalar === 'float' ? Math.fround(value) : value };
}

function integerValue(token: Token, scalar: string): ScalarResult {
  const [least, most] = ranges[scalar]!;
  const expected = `an integer from ${least} to ${most}`;
  if (token.kind !== 'number') return { expected };
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(token.text);
  if (match === null) return { expected };
  const digits = match[2]!;
  const isOctal = /^0[0-7]+$/.test(digits);
  const magnitude = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  const value = match[1] === '-' ? -magnitude : magnitude;
  if (value < least || value > most) return { expected };
  const number = Number(value);
  return { value: Number.isSafeInteger(number) ? number : value };
}
