import { isUtf8 } from 'node:buffer';
import { invalid, type ServerError } from '../types/errors.js';

/** name: a field, an enum value, or a word for a number. number: its sign and digits. string: its content. mark: one of `{}<>[]:,;`. */
export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark' | 'end';
  readonly text: string;
  /** Where it begins, and the first character behind it: offsets in the text without a byte order mark. */
  readonly at: number;
  readonly end: number;
}

const UNSIGNED = /(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?)(?![A-Za-z0-9_.])/y;
const WORD = /(?:inf|infinity|nan)f?(?![A-Za-z0-9_])/iy;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const BLANK = /[ \t\r\n\f\v]+/y;
const COMMENT = /#[^\n]*/y;
const HIGH = '[dD][89abAB][0-9a-fA-F]{2}';
const LOW = '[dD][c-fC-F][0-9a-fA-F]{2}';
const UNICODE = new RegExp(`^(?:u(${HIGH})\\\\u(${LOW})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))`);
const LONE_SURROGATE = /^[\ud800-\udfff]$/;
/** A surrogate pair, behind its first backslash: `uD83D\uDE00`. */
const LONGEST_ESCAPE = 12;
export const BYTE_ORDER_MARK = '\ufeff';

/** Characters of the file that a message repeats at most. */
const LONGEST_QUOTE = 80;

export function shorten(text: string): string {
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
}

/** Cuts protobuf text format into tokens and names positions in it. Neighbouring strings are one token, as in the format. */
export class Tokenizer {
  readonly #text: string;
  readonly #file: string;
  #at = 0;
  /** Behind the last quote that was read: blanks and comments may follow it in its token. */
  #closed = 0;

  constructor(text: string, file: string) {
    this.#text = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    this.#file = file;
  }

  /** `file:line:column: message`, counted from 1. */
  error(at: number, message: string): ServerError {
    const before = this.#text.slice(0, at).split('\n');
    return invalid(`${this.#file}:${before.length}:${before[before.length - 1]!.length + 1}: ${message}`);
  }

  next(): Token {
    this.#skip();
    const at = this.#at;
    const first = this.#text[at];
    if (first === undefined) return { kind: 'end', text: 'the end of the file', at, end: at };
    if ('{}<>[]:,;'.includes(first)) return { kind: 'mark', text: first, at, end: ++this.#at };
    if (first === '"' || first === "'") return { kind: 'string', text: this.#strings(), at, end: this.#closed };
    const name = this.#match(NAME);
    if (name !== null) return { kind: 'name', text: name, at, end: this.#at };
    return { kind: 'number', text: this.#number(at), at, end: this.#at };
  }

  /** Blanks and comments may stand between a minus and its number. */
  #number(at: number): string {
    const sign = this.#match(/-/y) ?? '';
    if (sign !== '') this.#skip();
    const digits = this.#match(UNSIGNED) ?? (sign === '' ? null : this.#match(WORD));
    if (digits !== null) return sign + digits;
    if (sign !== '') throw this.error(at, "expected a number behind '-'");
    const found = this.#match(/[0-9.][A-Za-z0-9_.]*/y);
    if (found !== null) throw this.error(at, `'${shorten(found)}' is no number`);
    throw this.error(at, `unexpected character ${JSON.stringify(String.fromCodePoint(this.#text.codePointAt(at)!))}`);
  }

  #skip(): void {
    while (this.#match(BLANK) !== null || this.#match(COMMENT) !== null);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #strings(): string {
    const begin = this.#at;
    const bytes: Buffer[] = [];
    for (;;) {
      bytes.push(this.#string());
      this.#skip();
      const next = this.#text[this.#at];
      if (next !== '"' && next !== "'") break;
    }
    const all = Buffer.concat(bytes);
    if (!isUtf8(all)) throw this.error(begin, 'the escapes of the string that begins here are no UTF-8');
    return all.toString('utf8');
  }

  /** One quoted string, as UTF-8: octal and hex escapes are bytes. */
  #string(): Buffer {
    const begin = this.#at;
    const quote = this.#text[this.#at++];
    const parts: Buffer[] = [];
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n')
        throw this.error(begin, `the string that begins here has no closing ${quote}`);
      if (char === quote) break;
      parts.push(char === '\\' ? this.#escape() : this.#plain(quote!));
    }
    this.#closed = ++this.#at;
    return Buffer.concat(parts);
  }

  #plain(quote: string): Buffer {
    const begin = this.#at;
    while (this.#at < this.#text.length && !['\\', '\n', quote].includes(this.#text[this.#at]!)) this.#at++;
    return Buffer.from(this.#text.slice(begin, this.#at));
  }

  #escape(): Buffer {
    const rest = this.#text.slice(this.#at + 1, this.#at + LONGEST_ESCAPE);
    const simple = rest[0] === undefined ? undefined : SIMPLE_ESCAPES[rest[0]];
    if (simple !== undefined) return this.#escaped(1, Buffer.from(simple));
    const octal = /^(?:[0-3][0-7]{2}|[0-7]{1,2}(?![0-7]))/.exec(rest)?.[0];
    if (octal !== undefined) return this.#escaped(octal.length, Buffer.from([Number.parseInt(octal, 8)]));
    const hex = /^[xX]([0-9a-fA-F]{1,2})/.exec(rest);
    if (hex !== null) return this.#escaped(hex[0].length, Buffer.from([Number.parseInt(hex[1]!, 16)]));
    const unicode = unicodeEscape(rest);
    if (unicode === null) throw this.error(this.#at, `'\\${rest[0] ?? ''}' begins no escape that a string can have`);
    return this.#escaped(unicode.length, Buffer.from(unicode.text));
  }

  #escaped(length: number, bytes: Buffer): Buffer {
    this.#at += 1 + length;
    return bytes;
  }
}

/** `\u` with 4 hex digits (two of them for a surrogate pair) or `\U` with 8; null = neither, or no character. */
function unicodeEscape(rest: string): { text: string; length: number } | null {
  const match = UNICODE.exec(rest);
  if (match === null) return null;
  const units = match.slice(1, 4).filter((hex) => hex !== undefined);
  const point = Number.parseInt(match[4] ?? '0', 16);
  if (point > 0x10ffff) return null;
  const text =
    units.length > 0
      ? String.fromCharCode(...units.map((hex) => Number.parseInt(hex, 16)))
      : String.fromCodePoint(point);
  return LONE_SURROGATE.test(text) ? null : { text, length: match[0].length };
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '?': '?',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
