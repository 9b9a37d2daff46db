import type { ServerError } from '../types/errors.js';

/** What of `JsonScanner` numbers need: `at` is at their first byte. */
export interface NumberCursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  error(reason: string, at?: number): ServerError;
}

/** Beyond this a mantissa of one more digit may have lost bits: (2^53 - 9) / 10. */
const MOST_EXACT = 900_719_925_474_098;
/** Of the digits behind those, seven are read fast. */
const MOST_SCALE = 10_000_000;
const LONGEST_SHOWN = 40;

/** Powers of ten that a double holds exactly. */
const powers = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

const numberGrammar = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
const integerGrammar = /^-?(?:0|[1-9][0-9]*)$/;
/** The longest texts that 64 bits can hold have 20 digits or 19 and a sign. */
const LONGEST_INTEGER = 20;

/** An integer of up to 15 digits, taken digit by digit; NaN = something else comes, and nothing was taken. */
export function readSmallInteger(cursor: NumberCursor): number {
  const { bytes, end } = cursor;
  let { at } = cursor;
  const isNegative = bytes[at] === 0x2d;
  if (isNegative) at++;
  const begin = at;
  let value = 0;
  let byte = 0;
  for (; at < end; at++) {
    byte = bytes[at]!;
    if (byte < 0x30 || byte > 0x39) break;
    value = value * 10 + (byte - 0x30);
  }
  const digits = at - begin;
  if (digits === 0 || digits > 15 || (digits > 1 && bytes[begin] === 0x30)) return Number.NaN;
  if (at < end && (byte === 0x2e || (byte | 0x20) === 0x65)) return Number.NaN;
  cursor.at = at;
  return isNegative ? -value : value;
}

/** The text of an integer of any length; '' = what comes is no integer, and nothing was taken. */
export function readIntegerText(cursor: NumberCursor): string {
  const text = textAhead(cursor);
  if (!integerGrammar.test(text)) return '';
  cursor.at += text.length;
  return text;
}

/** Any number of JSON, NaN, Infinity or -Infinity. Integers up to 64 bits are exact; beyond 2^53 as bigint. */
export function readAnyNumber(cursor: NumberCursor): number | bigint {
  const small = readSmallInteger(cursor);
  if (!Number.isNaN(small)) return small;
  const text = readIntegerText(cursor);
  if (text === '') return readDouble(cursor);
  const value = Number(text);
  if (Number.isSafeInteger(value) || text.length > LONGEST_INTEGER) return value;
  const exact = BigInt(text);
  return exact >= -(2n ** 63n) && exact < 2n ** 64n ? exact : value;
}

/** An integer in 64 bits, from -2^63 to 2^64 - 1; null = beyond that. The text has the form of an integer. */
export function longOf(text: string): bigint | null {
  if (text.length > LONGEST_INTEGER) return null;
  const value = BigInt(text);
  return value >= -(2n ** 63n) && value < 2n ** 64n ? value : null;
}

/** The double nearest to a decimal text. Throws where no number of JSON, NaN, Infinity or -Infinity comes. */
export function readDouble(cursor: NumberCursor): number {
  const { bytes, end } = cursor;
  const isNegative = bytes[cursor.at] === 0x2d;
  const begin = isNegative ? cursor.at + 1 : cursor.at;
  let at = begin;
  // The digits are mantissa * scale + low.
  let mantissa = 0;
  let low = 0;
  let scale = 1;
  let point = -1;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x30 || byte > 0x39) {
      if (byte !== 0x2e || point >= 0 || at === begin) break;
      point = at;
    } else if (mantissa <= MOST_EXACT && scale === 1) {
      mantissa = mantissa * 10 + (byte - 0x30);
    } else {
      low = low * 10 + (byte - 0x30);
      scale *= 10;
    }
  }
  const decimals = point < 0 ? 0 : at - point - 1;
  if (!isPlain(bytes, begin, at, point) || decimals > 22 || scale > MOST_SCALE) return readSlowly(cursor);
  const value = scale === 1 ? mantissa / powers[decimals]! : quotient(mantissa, low, scale, powers[decimals]!);
  if (Number.isNaN(value)) return readSlowly(cursor);
  cursor.at = at;
  return isNegative ? -value : value;
}

/** Digits, with digits on both sides of a point, no zero in front, no exponent behind. */
function isPlain(bytes: Buffer, begin: number, end: number, point: number): boolean {
  if (end === begin || point === end - 1 || ((bytes[end] ?? 0) | 0x20) === 0x65) return false;
  return bytes[begin] !== 0x30 || end === begin + 1 || point === begin + 1;
}

/**
 * (mantissa * scale + low) / divisor as the nearest double, from a quotient in two doubles (Dekker); NaN = it lies too near to the
 * middle between two for that. All arguments are whole, `mantissa` up to 2^53, `low` < `scale` <= 10^7, `divisor` <= 10^22.
 */
function quotient(mantissa: number, low: number, scale: number, divisor: number): number {
  const product = mantissa * scale;
  const sum = product + low;
  const tail = low - (sum - product) + productError(mantissa, scale, product);
  const first = sum / divisor;
  const back = first * divisor;
  const second = (sum - back - productError(first, divisor, back) + tail) / divisor;
  // The error of `second` is some 2^-50 of it.
  const error = second * 2 ** -40;
  const value = first + (second - error);
  return value === first + (second + error) ? value : Number.NaN;
}

/** a * b - product, where product is a * b rounded (Veltkamp's splitting). */
function productError(a: number, b: number, product: number): number {
  const shiftedA = a * 134_217_729;
  const highA = shiftedA - (shiftedA - a);
  const lowA = a - highA;
  const shiftedB = b * 134_217_729;
  const highB = shiftedB - (shiftedB - b);
  const lowB = b - highB;
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

/** Long mantissas, exponents and words. */
function readSlowly(cursor: NumberCursor): number {
  const text = textAhead(cursor);
  const isNumber = numberGrammar.test(text) || text === 'NaN' || text === 'Infinity' || text === '-Infinity';
  if (!isNumber) throw cursor.error('Invalid value.');
  cursor.at += text.length;
  return Number(text);
}

/** Bytes that numbers and words consist of, from `at` on; nothing is taken. */
function textAhead({ bytes, at, end }: NumberCursor): string {
  let behind = at;
  while (behind < end && isWordByte(bytes[behind]!)) behind++;
  return bytes.toString('latin1', at, behind);
}

function isWordByte(byte: number): boolean {
  const lower = byte | 0x20;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (lower >= 0x61 && lower <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e
  );
}

/** What stands at `at`, for messages. */
export function shownAhead(cursor: NumberCursor): string {
  const text = textAhead(cursor);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}
