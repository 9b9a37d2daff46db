import { isUtf8 } from 'node:buffer';
import { invalid, type ServerError } from '../types/errors.js';
import { readAnyNumber } from './json-numbers.js';
import { decodeString, readString } from './json-strings.js';

/** Deeper values are refused before they can exhaust the stack. */
export const DEEPEST = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What a byte means to somebody who skips: most mean nothing. */
const PLAIN = 0;
const STRING = 1;
const OPEN = 2;
const CLOSE = 3;
const kinds = new Uint8Array(256);
kinds[QUOTE] = STRING;
kinds[0x5b] = kinds[0x7b] = OPEN;
kinds[0x5d] = kinds[0x7d] = CLOSE;

const LONGEST_REMEMBERED = 32;
const REMEMBERED = 512;

/** Short strings (member names, tensor names, datatypes) repeat: found by their bytes they need not be decoded again. */
const remembered: (string | undefined)[] = new Array(REMEMBERED).fill(undefined);

/**
 * Reads JSON from UTF-8 bytes, value by value, with NaN, Infinity and -Infinity as numbers. Knows nothing of what is read. Every
 * method leaves `at` behind what it read and throws INVALID_ARGUMENT with the byte offset where that is no JSON.
 */
export class JsonScanner {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  /** Offsets in messages count from here. */
  readonly #begin: number;
  /** A byte beyond ASCII was met: `checkUtf8` has something to do. */
  #isWide = false;

  constructor(bytes: Buffer, begin: number, end: number) {
    this.bytes = bytes;
    this.at = begin;
    this.end = end;
    this.#begin = begin;
  }

  error(reason: string, at = this.at): ServerError {
    return invalid(`failed to parse the request JSON buffer: ${reason} at ${at - this.#begin}`);
  }

  tooDeep(): ServerError {
    return invalid(`JSON nesting depth exceeds maximum allowed limit (${DEEPEST})`);
  }

  /** The next byte that is no blank, -1 at the end; not taken. */
  peek(): number {
    const { bytes, end } = this;
    let { at } = this;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Takes `byte` if it comes next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  /** True while another member or element follows; to be called before each. */
  next(index: number, close: number): boolean {
    const byte = this.peek();
    if (index === 0) {
      if (byte !== close) return true;
    } else if (byte !== close) {
      if (byte !== 0x2c) throw this.error(missingComma(close));
      this.at++;
      return true;
    }
    this.at++;
    return false;
  }

  /** A member's name and its colon. */
  key(): string {
    if (this.peek() !== QUOTE) throw this.error('Missing a name for object member.');
    const name = this.string();
    if (!this.take(0x3a)) throw this.error('Missing a colon after a name of object member.');
    return name;
  }

  string(): string {
    const begin = this.at + 1;
    const { bytes, end } = this;
    let hash = 7;
    for (let at = begin; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        return shortString(bytes, begin, at, hash);
      }
      if (byte === BACKSLASH || byte >= 0x80 || byte < 0x20) return this.#longString();
      hash = (hash * 31 + byte) | 0;
    }
    throw this.error('Missing a closing quotation mark in string.', begin - 1);
  }

  /** Skips a string; what lies in it is checked by whoever reads it, its encoding by `checkUtf8`. */
  skipString(): void {
    const { bytes, end } = this;
    for (let at = this.at + 1; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        return;
      }
      if (byte === BACKSLASH) at++;
      else if (byte >= 0x80) this.#isWide = true;
    }
    throw this.error('Missing a closing quotation mark in string.');
  }

  /** Skips an array by its brackets: what lies in it is checked by whoever reads it. */
  skipArray(): void {
    const { bytes, end } = this;
    let { at } = this;
    let depth = 0;
    while (at < end) {
      const kind = kinds[bytes[at]!]!;
      if (kind === STRING) {
        this.at = at;
        this.skipString();
        at = this.at;
        continue;
      }
      at++;
      if (kind === PLAIN) continue;
      if (kind === OPEN) {
        if (++depth > DEEPEST) throw this.tooDeep();
      } else if (--depth === 0) {
        this.at = at;
        return;
      }
    }
    throw this.error(missingComma(0x5d), end);
  }

  /** Any value, as JavaScript has it, objects as maps; integers beyond 2^53 are bigints. */
  value(depth = 0): unknown {
    const byte = this.peek();
    if (byte === QUOTE) return this.string();
    if ((byte === 0x7b || byte === 0x5b) && depth === DEEPEST) throw this.tooDeep();
    if (byte === 0x7b) return this.#object(depth);
    if (byte === 0x5b) return this.#array(depth);
    if (byte === 0x74) return this.word('true', true);
    if (byte === 0x66) return this.word('false', false);
    if (byte === 0x6e) return this.word('null', null);
    return readAnyNumber(this);
  }

  word<T>(word: string, value: T): T {
    const { bytes, at } = this;
    for (let i = 0; i < word.length; i++) {
      if (at + i >= this.end || bytes[at + i] !== word.charCodeAt(i)) throw this.error('Invalid value.');
    }
    this.at += word.length;
    return value;
  }

  /** Throws unless everything between `begin` and the end is UTF-8; to be called when all strings were read or skipped. */
  checkUtf8(): void {
    if (!this.#isWide || isUtf8(this.bytes.subarray(this.#begin, this.end))) return;
    throw this.error('Invalid encoding in string.', invalidUtf8At(this.bytes, this.#begin, this.end));
  }

  #object(depth: number): Map<string, unknown> {
    this.at++;
    const members = new Map<string, unknown>();
    for (let index = 0; this.next(index, 0x7d); index++) {
      const name = this.key();
      const value = this.value(depth + 1);
      // A doubled member: the first one counts.
      if (!members.has(name)) members.set(name, value);
    }
    return members;
  }

  #array(depth: number): unknown[] {
    this.at++;
    const elements: unknown[] = [];
    for (let index = 0; this.next(index, 0x5d); index++) elements.push(this.value(depth + 1));
    return elements;
  }

  /** With escapes or beyond ASCII: rare, so the slow way. */
  #longString(): string {
    this.#isWide = true;
    const begin = this.at;
    const length = readString(this, null, 0);
    const { at } = this;
    this.at = begin;
    const text = decodeString(this, length);
    this.at = at;
    return text;
  }
}

/** Where the text begins: behind a byte order mark, where there is one. */
export function textBegin(bytes: Buffer, begin: number): number {
  const hasMark = bytes[begin] === 0xef && bytes[begin + 1] === 0xbb && bytes[begin + 2] === 0xbf;
  return hasMark ? begin + 3 : begin;
}

function missingComma(close: number): string {
  return close === 0x7d
    ? 'Missing a comma or } after an object member.'
    : 'Missing a comma or ] after an array element.';
}

function shortString(bytes: Buffer, begin: number, end: number, hash: number): string {
  const length = end - begin;
  if (length > LONGEST_REMEMBERED) return bytes.toString('latin1', begin, end);
  const place = hash & (REMEMBERED - 1);
  const known = remembered[place];
  if (known !== undefined && known.length === length && isAt(known, bytes, begin)) return known;
  const text = bytes.toString('latin1', begin, end);
  remembered[place] = text;
  return text;
}

function isAt(text: string, bytes: Buffer, begin: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[begin + i]) return false;
  return true;
}

/** Where the first character lies that is no UTF-8 (RFC 3629): for messages only. */
function invalidUtf8At(bytes: Buffer, begin: number, end: number): number {
  let at = begin;
  while (at < end) {
    const length = characterBytes(bytes[at]!, bytes[at + 1] ?? 0);
    if (length === 0 || at + length > end) return at;
    for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return at;
    at += length;
  }
  return at;
}

/** Bytes of the character that begins with these two; 0 = none does: overlong, a surrogate or beyond U+10FFFF. */
function characterBytes(lead: number, second: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return 2;
  const isWrong = (lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f);
  if (lead < 0xf0) return isWrong ? 0 : 3;
  return (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f) ? 0 : 4;
}
