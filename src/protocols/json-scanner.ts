import { invalid, type ServerError } from '../types/errors.js';

/** Deeper values are refused before they can exhaust the stack. */
export const DEEPEST = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LONGEST_REMEMBERED = 32;
const REMEMBERED = 512;

/** Short strings (member names, tensor names, datatypes) repeat: found by their bytes they need not be decoded again. */
const remembered: (string | undefined)[] = new Array(REMEMBERED).fill(undefined);

const simpleEscapes: Readonly<Record<number, number>> = {
  0x22: 0x22,
  0x5c: 0x5c,
  0x2f: 0x2f,
  0x62: 0x08,
  0x66: 0x0c,
  0x6e: 0x0a,
  0x72: 0x0d,
  0x74: 0x09,
};

/**
 * Reads JSON from UTF-8 bytes, value by value, with NaN, Infinity and -Infinity as numbers. Knows nothing of what is read. Every
 * method leaves `at` behind what it read and throws INVALID_ARGUMENT with the byte offset where that is no JSON.
 */
export class JsonScanner {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, begin: number, end: number) {
    this.bytes = bytes;
    this.at = begin;
    this.end = end;
  }

  error(reason: string, at = this.at): ServerError {
    return invalid(`failed to parse the request JSON buffer: ${reason} at ${at}`);
  }

  /** The next byte that is no blank, -1 at the end; not taken. */
  peek(): number {
    const { bytes, end } = this;
    while (this.at < end) {
      const byte = bytes[this.at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.at++;
    }
    return -1;
  }

  /** Takes `byte` if it comes next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at++;
    return true;
  }

  expect(byte: number, what: string): void {
    if (!this.take(byte)) throw this.error(`Missing ${what}.`);
  }

  /** True while another member or element follows; to be called before each. */
  next(index: number, close: number): boolean {
    if (index === 0) return !this.take(close);
    if (this.take(0x2c)) return true;
    if (this.take(close)) return false;
    throw this.error(close === 0x7d ? 'Missing a comma or } after an object member.' : 'Missing a comma or ] after an array element.');
  }

  /** A member's name and its colon. */
  key(): string {
    if (this.peek() !== QUOTE) throw this.error('Missing a name for object member.');
    const name = this.string();
    this.expect(0x3a, 'a colon after a name of object member');
    return name;
  }

  string(): string {
    const begin = ++this.at;
    const { bytes, end } = this;
    let hash = 7;
    while (this.at < end) {
      const byte = bytes[this.at]!;
      if (byte === QUOTE) return this.#shortString(begin, this.at++, hash);
      if (byte === BACKSLASH || byte >= 0x80) return this.#longString(begin);
      if (byte < 0x20) throw this.error('Invalid control character in string.');
      hash = (hash * 31 + byte) | 0;
      this.at++;
    }
    throw this.error('Missing a closing quotation mark in string.', begin - 1);
  }

  /** Skips a string and gives the range between its quotes; escapes and UTF-8 in it are not looked at. */
  skipString(): void {
    const begin = this.at++;
    const { bytes, end } = this;
    for (; this.at < end; this.at++) {
      const byte = bytes[this.at]!;
      if (byte === QUOTE) {
        this.at++;
        return;
      }
      if (byte === BACKSLASH) this.at++;
    }
    throw this.error('Missing a closing quotation mark in string.', begin);
  }

  /** Skips an array or object by its brackets: what lies in it is checked by whoever reads it. */
  skipNested(): void {
    const begin = this.at;
    const { bytes, end } = this;
    let depth = 0;
    while (this.at < end) {
      const byte = bytes[this.at]!;
      if (byte === QUOTE) {
        this.skipString();
        continue;
      }
      this.at++;
      if (byte === 0x5b || byte === 0x7b) {
        if (++depth > DEEPEST) throw invalid(`JSON nesting depth exceeds maximum allowed limit (${DEEPEST})`);
      } else if ((byte === 0x5d || byte === 0x7d) && --depth === 0) return;
    }
    throw this.error('Missing a comma or ] after an array element.', begin);
  }

  /** Any value, as JavaScript has it; integers beyond 2^53 are bigints. */
  value(depth = 0): unknown {
    if (depth > DEEPEST) throw invalid(`JSON nesting depth exceeds maximum allowed limit (${DEEPEST})`);
    const byte = this.peek();
    if (byte === QUOTE) return this.string();
    if (byte === 0x7b) return this.#object(depth);
    if (byte === 0x5b) return this.#array(depth);
    if (byte === 0x74) return this.#word('true', true);
    if (byte === 0x66) return this.#word('false', false);
    if (byte === 0x6e) return this.#word('null', null);
    return this.number();
  }

  /** The text of a number as it stands; '' = what comes next is no number. */
  numberText(): string {
    this.peek();
    const begin = this.at;
    while (this.at < this.end && isNumberByte(this.bytes[this.at]!)) this.at++;
    return this.bytes.toString('latin1', begin, this.at);
  }

  number(): number | bigint {
    const begin = this.at;
    const text = this.numberText();
    if (/^-?(?:0|[1-9][0-9]*)$/.test(text)) {
      const value = Number(text);
      return Number.isSafeInteger(value) ? value : BigInt(text);
    }
    if (isFloatText(text)) return Number(text);
    this.at = begin;
    throw this.error('Invalid value.');
  }

  #object(depth: number): Map<string, unknown> {
    this.at++;
    const members = new Map<string, unknown>();
    for (let index = 0; this.next(index, 0x7d); index++) {
      const name = this.key();
      const value = this.value(depth + 1);
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

  #word<T>(word: string, value: T): T {
    if (this.bytes.toString('latin1', this.at, Math.min(this.end, this.at + word.length)) !== word) {
      throw this.error('Invalid value.');
    }
    this.at += word.length;
    return value;
  }

  #shortString(begin: number, end: number, hash: number): string {
    const length = end - begin;
    if (length > LONGEST_REMEMBERED) return this.bytes.toString('latin1', begin, end);
    const place = hash & (REMEMBERED - 1);
    const known = remembered[place];
    if (known !== undefined && known.length === length && this.#equals(known, begin)) return known;
    const text = this.bytes.toString('latin1', begin, end);
    remembered[place] = text;
    return text;
  }

  #equals(text: string, begin: number): boolean {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== this.bytes[begin + i]) return false;
    return true;
  }

  /** With escapes or beyond ASCII: rare, so the slow way. */
  #longString(begin: number): string {
    this.at = begin - 1;
    this.skipString();
    return decodeString(this.bytes, begin, this.at - 1).toString('utf8');
  }
}

/** The bytes that a JSON string between two quotes means, as UTF-8. Throws where escapes or UTF-8 are wrong. */
export function decodeString(bytes: Buffer, begin: number, end: number): Buffer {
  const decoded = Buffer.allocUnsafe(end - begin);
  let length = 0;
  for (let at = begin; at < end; ) {
    const byte = bytes[at]!;
    if (byte < 0x20) throw badString('Invalid control character in string.', at);
    if (byte !== BACKSLASH) {
      decoded[length++] = byte;
      at++;
      continue;
    }
    const { point, next } = readEscape(bytes, at, end);
    length += decoded.write(String.fromCodePoint(point), length, 'utf8');
    at = next;
  }
  const result = decoded.subarray(0, length);
  if (!isValidUtf8(result)) throw badString('Invalid encoding in string.', begin);
  return result;
}

function isValidUtf8(bytes: Buffer): boolean {
  // toString replaces what is wrong: then the text has other bytes.
  return Buffer.from(bytes.toString('utf8')).equals(bytes);
}

function readEscape(bytes: Buffer, at: number, end: number): { point: number; next: number } {
  const simple = simpleEscapes[bytes[at + 1] ?? 0];
  if (simple !== undefined && at + 1 < end) return { point: simple, next: at + 2 };
  const high = readHex(bytes, at, end);
  if (high < 0xd800 || high > 0xdfff) return { point: high, next: at + 6 };
  if (high > 0xdbff) throw badString('The surrogate pair in string is invalid.', at);
  const low = readHex(bytes, at + 6, end);
  if (low < 0xdc00 || low > 0xdfff) throw badString('The surrogate pair in string is invalid.', at);
  return { point: 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), next: at + 12 };
}

/** Four hex digits behind a backslash and u. */
function readHex(bytes: Buffer, at: number, end: number): number {
  const text = bytes.toString('latin1', at, Math.min(end, at + 6));
  if (!/^\\u[0-9a-fA-F]{4}$/.test(text)) throw badString('Invalid escape character in string.', at);
  return Number.parseInt(text.slice(2), 16);
}

function badString(reason: string, at: number): ServerError {
  return invalid(`failed to parse the request JSON buffer: ${reason} at ${at}`);
}

function isNumberByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a)
  );
}

/** A JSON number, or one of the three words for what JSON numbers cannot say. */
export function isFloatText(text: string): boolean {
  return /^(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|NaN|-?Infinity)$/.test(text);
}
