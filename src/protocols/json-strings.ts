import type { ServerError } from '../types/errors.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What stands behind a backslash -> the byte it means; 0 = no such escape, or `u`. */
const escapes = new Uint8Array(256);
for (const [letter, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  escapes[letter!.charCodeAt(0)] = meaning!.charCodeAt(0);
}

/** What of `JsonScanner` strings need: `at` is at the opening quotation mark. */
interface StringCursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  error(reason: string, at?: number): ServerError;
}

/**
 * Reads a string, resolves its escapes and writes its bytes (UTF-8, as in the source) to `target` from `begin` on; `null` = only
 * counts and checks. The result is their number. Throws where escapes are wrong, surrogates stand alone or control characters stand bare.
 */
export function readString(cursor: StringCursor, target: Uint8Array | null, begin: number): number {
  const { bytes, end } = cursor;
  let to = begin;
  for (let at = cursor.at + 1; at < end; ) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      cursor.at = at + 1;
      return to - begin;
    }
    if (byte < 0x20) throw cursor.error('Invalid control character in string.', at);
    if (byte === BACKSLASH) {
      const point = readEscape(cursor, at);
      at += bytes[at + 1] !== 0x75 ? 2 : point > 0xffff ? 12 : 6;
      to += writePoint(point, target, to);
    } else {
      if (target !== null) target[to] = byte;
      to++;
      at++;
    }
  }
  throw cursor.error('Missing a closing quotation mark in string.');
}

/** The string as text; `length` is what `readString` counted. */
export function decodeString(cursor: StringCursor, length: number): string {
  const decoded = Buffer.allocUnsafe(length);
  readString(cursor, decoded, 0);
  return decoded.toString('utf8');
}

/** The code point that the escape at `at` means, a pair of surrogates taken together. */
function readEscape(cursor: StringCursor, at: number): number {
  const letter = cursor.bytes[at + 1]!;
  if (letter !== 0x75) {
    if (at + 1 >= cursor.end || escapes[letter] === 0) throw cursor.error('Invalid escape character in string.', at);
    return escapes[letter]!;
  }
  const high = readHex(cursor, at + 2);
  if (high < 0) throw cursor.error('Incorrect hex digit after \\u escape in string.', at);
  if (high < 0xd800 || high > 0xdfff) return high;
  const isPair = high < 0xdc00 && cursor.bytes[at + 6] === BACKSLASH && cursor.bytes[at + 7] === 0x75;
  const low = isPair ? readHex(cursor, at + 8) : -1;
  if (low < 0xdc00 || low > 0xdfff) throw cursor.error('The surrogate pair in string is invalid.', at);
  return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

/** Four hex digits; -1 = they are not. */
function readHex({ bytes, end }: StringCursor, at: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i]!;
    const lower = byte | 0x20;
    const digit = byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Writes a code point as UTF-8; the result is the number of bytes. */
function writePoint(point: number, target: Uint8Array | null, at: number): number {
  const length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  if (target === null) return length;
  if (length === 1) {
    target[at] = point;
    return 1;
  }
  let rest = point;
  for (let i = length - 1; i > 0; i--) {
    target[at + i] = 0x80 | (rest & 0x3f);
    rest >>= 6;
  }
  target[at] = ((0xf00 >> length) & 0xff) | rest;
  return length;
}
