import type { FieldSink } from './hpack/decoder.js';
import { FieldKind } from './hpack/field.js';
import type { RequestFields } from './stream.js';

const CONTENT_LENGTH_DIGITS_MAX = 15;
const digits = /^[0-9]+$/;

/**
 * The fields of the block decoded last, checked as they come (RFC 9113, 8.2 and 8.3). One object serves all blocks of a
 * connection: texts come from the tables, places in its arrays are used again.
 */
export class FieldList implements RequestFields, FieldSink {
  method = '';
  scheme = '';
  path = '';
  authority = '';
  contentLength = -1;
  length = 0;
  /** What is wrong with the block so far; null = nothing. */
  malformation: string | null = null;

  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #host = '';
  #isTrailers = false;
  /** One bit for each kind of pseudo-header. */
  #seen = 0;
  /** The content-length read last, before that as good as any. */
  #lengthText = '0';
  #length = 0;

  begin(isTrailers: boolean): void {
    this.method = '';
    this.scheme = '';
    this.path = '';
    this.authority = '';
    this.contentLength = -1;
    this.length = 0;
    this.malformation = null;
    this.#host = '';
    this.#isTrailers = isTrailers;
    this.#seen = 0;
  }

  field(name: string, value: string, kind: FieldKind): void {
    if (this.malformation !== null) return;
    switch (kind) {
      case FieldKind.OTHER:
      case FieldKind.TE:
        this.#add(name, value);
        return;
      case FieldKind.MALFORMED:
        this.malformation = `the field '${name}: ${value}' must not be in HTTP/2`;
        return;
      case FieldKind.CONTENT_LENGTH:
        this.#declareLength(value);
        this.#add(name, value);
        return;
      case FieldKind.HOST:
        this.#host = value;
        this.#add(name, value);
        return;
      default:
        this.#pseudo(name, value, kind);
    }
  }

  /** 8.3.1: what is wrong with a request whose fields are all here; null = nothing. */
  requestMalformation(): string | null {
    if (this.malformation !== null) return this.malformation;
    if (this.method === '') return ':method is missing';
    if (this.method === 'CONNECT') return null;
    if (this.scheme === '') return ':scheme is missing';
    if (!this.path.startsWith('/') && !(this.path === '*' && this.method === 'OPTIONS')) {
      return `expected a :path that starts with '/', found '${this.path}'`;
    }
    if (this.authority.includes('@')) return `:authority '${this.authority}' has user information`;
    if (this.#host === '' || this.authority === '' || sameHost(this.#host, this.authority)) return null;
    return `host '${this.#host}' differs from :authority '${this.authority}'`;
  }

  nameAt(index: number): string {
    return this.#names[index]!;
  }

  valueAt(index: number): string {
    return this.#values[index]!;
  }

  get(name: string): string | undefined {
    for (let index = 0; index < this.length; index++) if (this.#names[index] === name) return this.#values[index];
    return undefined;
  }

  #add(name: string, value: string): void {
    this.#names[this.length] = name;
    this.#values[this.length++] = value;
  }

  #pseudo(name: string, value: string, kind: FieldKind): void {
    const bit = 1 << kind;
    if (this.#isTrailers) this.malformation = `the pseudo-header ${name} stands in trailers`;
    else if (this.length > 0) this.malformation = `the pseudo-header ${name} stands behind other fields`;
    else if ((this.#seen & bit) !== 0) this.malformation = `the pseudo-header ${name} comes twice`;
    this.#seen |= bit;
    if (kind === FieldKind.METHOD) this.method = value;
    else if (kind === FieldKind.SCHEME) this.scheme = value;
    else if (kind === FieldKind.PATH) this.path = value;
    else this.authority = value;
  }

  /** RFC 9110, 8.6. Requests of one kind often have the same. */
  #declareLength(value: string): void {
    if (this.contentLength >= 0) this.malformation = 'content-length comes twice';
    else if (value === this.#lengthText) this.contentLength = this.#length;
    else if (!digits.test(value) || value.length > CONTENT_LENGTH_DIGITS_MAX) {
      this.malformation = `expected a number as content-length, found '${value}'`;
    } else {
      this.contentLength = Number(value);
      this.#lengthText = value;
      this.#length = this.contentLength;
    }
  }
}

function sameHost(host: string, authority: string): boolean {
  return host === authority || host.toLowerCase() === authority.toLowerCase();
}
