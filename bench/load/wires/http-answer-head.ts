import { BadAnswer } from './failures.js';

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const BLANK = 0x20;
const TAB = 0x09;

const CONTENT_LENGTH = Buffer.from('content-length');
const TRANSFER_ENCODING = Buffer.from('transfer-encoding');
const CONNECTION = Buffer.from('connection');
const JSON_LENGTH = Buffer.from('inference-header-content-length');

/** `HTTP/1.x NNN` */
const STATUS_AT = 9;
const STATUS_LINE_BYTES_MIN = 12;

/** A longer head is refused. */
export const HEAD_BYTES_MAX = 64 * 1024;

/** Heads up to this size are remembered: the next answer mostly has the same. */
const REMEMBERED_BYTES_MAX = 1024;

/** What the head of an answer of HTTP/1 says (RFC 9112), as far as it matters to a client that sends POST. */
export class HttpAnswerHead {
  status = 0;
  /** -1 = not said. */
  contentLength = -1;
  isChunked = false;
  /** The connection can carry another request behind this answer. */
  keepsConnection = true;
  /** `Inference-Header-Content-Length`; -1 = not said. */
  jsonBytes = -1;
  /** The head that was read last, all of it. */
  readonly #last = Buffer.alloc(REMEMBERED_BYTES_MAX);
  #lastBytes = 0;

  /** Interim answers (1xx) and these two never have a body (RFC 9112, 6.3). */
  get hasBody(): boolean {
    return this.status >= 200 && this.status !== 204 && this.status !== 304;
  }

  /**
   * Reads the head that begins at `start`.
   * @returns where its body begins; -1 = there is more to come
   */
  read(bytes: Buffer, start: number, end: number): number {
    if (this.#isLast(bytes, start, end)) return start + this.#lastBytes;
    const bodyAt = endOfHead(bytes, start, end);
    if (bodyAt < 0) {
      if (end - start > HEAD_BYTES_MAX) throw new BadAnswer(`a head of more than ${HEAD_BYTES_MAX} bytes`);
      return -1;
    }
    this.#lastBytes = 0;
    this.#parse(bytes, start, bodyAt);
    this.#remember(bytes, start, bodyAt);
    return bodyAt;
  }

  /** Byte for byte up to its end, so that it says the same. */
  #isLast(bytes: Buffer, start: number, end: number): boolean {
    const count = this.#lastBytes;
    if (count === 0 || end - start < count) return false;
    const last = this.#last;
    for (let index = 0; index < count; index++) if (bytes[start + index] !== last[index]) return false;
    return true;
  }

  #remember(bytes: Buffer, start: number, end: number): void {
    if (end - start > REMEMBERED_BYTES_MAX) return;
    this.#lastBytes = bytes.copy(this.#last, 0, start, end);
  }

  #parse(bytes: Buffer, start: number, end: number): void {
    this.contentLength = -1;
    this.isChunked = false;
    this.jsonBytes = -1;
    let at = endOfLine(bytes, start, end);
    this.#statusLine(bytes, start, at);
    for (at += 2; at < end - 2; ) {
      const lineEnd = endOfLine(bytes, at, end);
      this.#field(bytes, at, lineEnd);
      at = lineEnd + 2;
    }
  }

  #statusLine(bytes: Buffer, start: number, end: number): void {
    const text = bytes.toString('latin1', start, Math.min(end, start + STATUS_LINE_BYTES_MIN));
    if (!/^HTTP\/1\.[01] [1-5]\d\d$/.test(text)) throw new BadAnswer(`expected an answer of HTTP/1.1, found '${text}'`);
    this.status = numberAt(bytes, start + STATUS_AT, start + STATUS_LINE_BYTES_MIN);
    this.keepsConnection = text.startsWith('HTTP/1.1');
  }

  #field(bytes: Buffer, start: number, end: number): void {
    const colon = bytes.indexOf(COLON, start);
    if (colon < 0 || colon >= end) {
      throw new BadAnswer(`expected a header with a colon, found '${bytes.toString('latin1', start, end)}'`);
    }
    if (isName(bytes, start, colon, CONTENT_LENGTH)) this.#setLength(valueNumber(bytes, colon, end));
    else if (isName(bytes, start, colon, JSON_LENGTH)) this.jsonBytes = valueNumber(bytes, colon, end);
    else if (isName(bytes, start, colon, CONNECTION)) this.#setConnection(valueText(bytes, colon, end));
    else if (isName(bytes, start, colon, TRANSFER_ENCODING)) this.#setCoding(valueText(bytes, colon, end));
  }

  #setLength(length: number): void {
    if (this.contentLength >= 0 && this.contentLength !== length) {
      throw new BadAnswer(`two lengths: Content-Length ${this.contentLength} and ${length}`);
    }
    this.contentLength = length;
  }

  #setConnection(options: string): void {
    if (options.includes('close')) this.keepsConnection = false;
    else if (options.includes('keep-alive')) this.keepsConnection = true;
  }

  #setCoding(coding: string): void {
    if (coding !== 'chunked') throw new BadAnswer(`expected Transfer-Encoding: chunked, found '${coding}'`);
    this.isChunked = true;
  }
}

/** Behind the empty line; -1 = it has not come. */
function endOfHead(bytes: Buffer, start: number, end: number): number {
  for (let at = start + 3; at < end; at++) {
    if (bytes[at] === LF && bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
  }
  return -1;
}

/** Where its CR LF stands; there is one. */
function endOfLine(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < end - 1; at++) if (bytes[at] === CR && bytes[at + 1] === LF) return at;
  throw new Error('no line ends here');
}

/** @param name in lower case */
function isName(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[start + index]!;
    if (byte !== name[index] && (byte | 0x20) !== name[index]) return false;
  }
  return true;
}

function valueText(bytes: Buffer, colon: number, end: number): string {
  return bytes
    .toString('latin1', colon + 1, end)
    .trim()
    .toLowerCase();
}

function valueNumber(bytes: Buffer, colon: number, end: number): number {
  let first = colon + 1;
  let last = end;
  while (first < last && isBlank(bytes[first]!)) first++;
  while (last > first && isBlank(bytes[last - 1]!)) last--;
  return numberAt(bytes, first, last);
}

function isBlank(byte: number): boolean {
  return byte === BLANK || byte === TAB;
}

function numberAt(bytes: Buffer, start: number, end: number): number {
  let value = end > start ? 0 : Number.NaN;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  if (!Number.isSafeInteger(value))
    throw new BadAnswer(`expected a length, found '${bytes.toString('latin1', start, end)}'`);
  return value;
}
