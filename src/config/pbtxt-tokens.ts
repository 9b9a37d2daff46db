import { invalid, type ServerError } from '../types/errors.js';

/** name: a field or enum value. number: as written, with its sign. string: its content. mark: one of `{}<>[]:,;`. */
export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark' | 'end';
  readonly text: string;
  readonly at: number;
}

const NUMBER = /[-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?|(?:inf|infinity|nan)\b)/iy;
const NAME = /[A-Za-z_][A-Za-z0-9_.]*/y;
const SPACE = /(?:[ \t\r\n\f\v]+|#[^\n]*)+/y;

/** Cuts protobuf text format into tokens and names positions in it. Neighbouring strings are one token, as in the format. */
export class Tokenizer {
  readonly #text: string;
  readonly #file: string;
  #at = 0;

  constructor(text: string, file: string) {
    this.#text = text;
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
    if (first === undefined) return { kind: 'end', text: 'the end of the file', at };
    if ('{}<>[]:,;'.includes(first)) return this.#mark(first);
    if (first === '"' || first === "'") return { kind: 'string', text: this.#strings(), at };
    const name = this.#match(NAME);
    if (name !== null) return { kind: 'name', text: name, at };
    const number = this.#match(NUMBER);
    if (number === null) throw this.error(at, `unexpected character '${first}'`);
    return { kind: 'number', text: number, at };
  }

  #mark(text: string): Token {
    const at = this.#at++;
    return { kind: 'mark', text, at };
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    if (SPACE.test(this.#text)) this.#at = SPACE.lastIndex;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #strings(): string {
    const bytes: Buffer[] = [];
    for (;;) {
      bytes.push(this.#string());
      this.#skip();
      const next = this.#text[this.#at];
      if (next !== '"' && next !== "'") return Buffer.concat(bytes).toString('utf8');
    }
  }

  /** One quoted string, as UTF-8: octal and hex escapes are bytes. */
  #string(): Buffer {
    const begin = this.#at;
    const quote = this.#text[this.#at++];
    const parts: Buffer[] = [];
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n') throw this.error(begin, `the string that begins here has no closing ${quote}`);
      if (char === quote) break;
      parts.push(char === '\\' ? this.#escape() : this.#plain(quote!));
    }
    this.#at++;
    return Buffer.concat(parts);
  }

  #plain(quote: string): Buffer {
    const begin = this.#at;
    while (this.#at < this.#text.length && !['\\', '\n', quote].includes(this.#text[this.#at]!)) this.#at++;
    return Buffer.from(this.#text.slice(begin, this.#at));
  }

  #escape(): Buffer {
    const rest = this.#text.slice(this.#at + 1, this.#at + 10);
    const simple = rest[0] === undefined ? undefined : SIMPLE_ESCAPES[rest[0]];
    if (simple !== undefined) return this.#escaped(1, Buffer.from(simple));
    const octal = /^[0-7]{1,3}/.exec(rest)?.[0];
    if (octal !== undefined) return this.#escaped(octal.length, Buffer.from([Number.parseInt(octal, 8) & 255]));
    const hex = /^[xX]([0-9a-fA-F]{1,2})/.exec(rest);
    if (hex !== null) return this.#escaped(hex[0].length, Buffer.from([Number.parseInt(hex[1]!, 16)]));
    const unicode = /^(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    const point = Number.parseInt(unicode?.[1] ?? unicode?.[2] ?? 'x', 16);
    if (unicode === null || point > 0x10ffff) throw this.error(this.#at, `unknown escape '\\${rest[0] ?? ''}' in a string`);
    return this.#escaped(unicode[0].length, Buffer.from(String.fromCodePoint(point)));
  }

  #escaped(length: number, bytes: Buffer): Buffer {
    this.#at += 1 + length;
    return bytes;
  }
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
