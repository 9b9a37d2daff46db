import { ControlFields } from './control-fields.js';
import { FieldLine } from './field-line.js';
import { Head } from './head.js';
import type { RequestLimits } from './limits.js';
import { CR, LF } from './octets.js';
import { headersTooLong, type Refusal, refusal, tooManyHeaders } from './refusal.js';
import { CUT, REFUSED, RequestLine } from './request-line.js';

/** Longer heads are not kept to be known again: each connection has one. */
const KNOWN_BYTES_MAX = 2048;
const FIRST_BYTES = 512;

/** `more`: all that came is taken. `head`: it is in `head`. `refused`: why is in `refusal`, and nothing more can be read. */
export type HeadEvent = 'more' | 'head' | 'refused';

/**
 * Bytes to heads, one after another. A client sends nearly the same head each time, so the last one is kept and compared with what
 * comes: where it comes again, it is not parsed again. A head that lies in one chunk is parsed there; one in pieces is collected first.
 */
export class HeadParser {
  readonly head = new Head();
  refusal: Refusal | null = null;
  /** Where in the chunk the last call stopped. */
  position = 0;

  readonly #limits: RequestLimits;
  readonly #line = new RequestLine();
  readonly #field = new FieldLine();
  readonly #control = new ControlFields();
  /** The head in work as far as it was collected, or the last one. */
  #bytes: Buffer = Buffer.alloc(0);
  #collected = 0;
  /** Length of the last head where it is kept in `#bytes`; 0 = it is not. */
  #knownBytes = 0;

  #part: 'blank' | 'line' | 'fields' = 'blank';
  /** Where the line in work begins, from the start of the head; lines before it are done. */
  #lineStart = 0;
  #fieldsStart = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Some of a head has come, and not all of it. The empty line that some clients send behind a body is none of it. */
  get isInside(): boolean {
    return this.#collected > 0 && (this.#part === 'fields' || this.#collected > this.#lineStart);
  }

  next(chunk: Buffer, at: number, end: number): HeadEvent {
    if (this.#collected > 0) return this.#continue(chunk, at, end);
    if (this.#isKnown(chunk, at, end)) {
      this.position = at + this.#knownBytes;
      return 'head';
    }
    this.#begin();
    const event = this.#scan(chunk, at, end);
    if (event === 'more') this.#collect(chunk, at, end);
    else if (event === 'head') this.#keep(chunk, at);
    this.position = event === 'more' ? end : at + this.#lineStart;
    return event;
  }

  /** Lets go of a long head; not before its request was handed on. */
  release(): void {
    if (this.#collected > 0 || this.#bytes.length <= KNOWN_BYTES_MAX) return;
    this.#bytes = Buffer.alloc(0);
    this.#knownBytes = 0;
    this.head.setBytes(this.#bytes);
  }

  /** Ends with its empty line: where it comes again, it is whole. */
  #isKnown(chunk: Buffer, at: number, end: number): boolean {
    const length = this.#knownBytes;
    if (length === 0 || end - at < length) return false;
    const known = this.#bytes;
    for (let index = 0; index < length; index++) {
      if (chunk[at + index] !== known[index]) return false;
    }
    return true;
  }

  #begin(): void {
    this.head.clear();
    this.#line.clear();
    this.#control.clear();
    this.head.method = '';
    this.#part = 'blank';
    this.#lineStart = 0;
    this.#knownBytes = 0;
  }

  #continue(chunk: Buffer, at: number, chunkEnd: number): HeadEvent {
    const before = this.#collected;
    // Nothing new can be said of a line without its end; so a head that comes byte by byte is not read again for each of them.
    const end = Math.min(chunkEnd, at + this.#room(before));
    const hasLineEnd = chunk.subarray(at, end).includes(LF);
    this.#collect(chunk, at, end);
    this.position = end;
    if (!hasLineEnd) return this.#isTooLong(this.#collected) ? 'refused' : 'more';
    const event = this.#scan(this.#bytes, 0, this.#collected);
    if (event === 'more') return event;
    this.position = at + this.#lineStart - before;
    this.#collected = 0;
    if (event === 'head') this.#finishKeeping(this.#lineStart);
    return event;
  }

  /** Bytes that may still be collected: one more than any head has that is not refused. */
  #room(collected: number): number {
    return 2 * this.#limits.maxHeaderBytes + 4 - collected + 1;
  }

  #collect(chunk: Buffer, at: number, end: number): void {
    const needed = this.#collected + end - at;
    this.#reserve(needed, this.#collected);
    chunk.copy(this.#bytes, this.#collected, at, end);
    this.#collected = needed;
  }

  #reserve(needed: number, used: number): void {
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, used);
    this.#bytes = grown;
  }

  #keep(chunk: Buffer, at: number): void {
    this.#reserve(this.#lineStart, 0);
    chunk.copy(this.#bytes, 0, at, at + this.#lineStart);
    this.#finishKeeping(this.#lineStart);
  }

  #finishKeeping(length: number): void {
    this.head.setBytes(this.#bytes);
    this.#knownBytes = length <= KNOWN_BYTES_MAX ? length : 0;
  }

  /** Reads whole lines of the head that begins at `start`. */
  #scan(bytes: Buffer, start: number, end: number): HeadEvent {
    for (;;) {
      const lineStart = start + this.#lineStart;
      const next =
        this.#part === 'fields' ? this.#readField(bytes, lineStart, end, start) : this.#readLine(bytes, lineStart, end);
      if (next === CUT) return this.#isTooLong(end - start) ? 'refused' : 'more';
      if (next === REFUSED) return 'refused';
      this.#lineStart = next - start;
      if (this.#isTooLong(this.#lineStart)) return 'refused';
      if (this.#part !== 'fields') this.#afterLine(bytes[lineStart] === CR);
      else if (this.#field.isEnd) return this.#complete();
    }
  }

  #afterLine(isBlank: boolean): void {
    if (isBlank) {
      this.#part = 'line';
      return;
    }
    this.#part = 'fields';
    this.#fieldsStart = this.#lineStart;
  }

  /** One empty line before a request is skipped (RFC 9112, 2.2); more of them are none of ours. */
  #readLine(bytes: Buffer, at: number, end: number): number {
    if (at < end && bytes[at] === CR && this.#part === 'blank') {
      if (at + 1 === end) return CUT;
      if (bytes[at + 1] === LF) return at + 2;
    }
    const next = this.#line.read(bytes, at, end);
    if (next === REFUSED) this.refusal = this.#line.refusal;
    this.head.method = this.#line.method;
    return next;
  }

  #readField(bytes: Buffer, at: number, end: number, base: number): number {
    const field = this.#field;
    const next = field.read(bytes, at, end);
    if (next === REFUSED) this.refusal = field.refusal;
    if (next < 0 || field.isEnd) return next;
    this.head.add(at - base, field.nameEnd - base, field.valueStart - base, field.valueEnd - base);
    this.#control.note(bytes, at, field);
    if (this.head.count <= this.#limits.maxHeaderCount) return next;
    this.refusal = tooManyHeaders(this.head.count, this.#limits.maxHeaderCount);
    return REFUSED;
  }

  /** @param length of the head so far. Sets `refusal` */
  #isTooLong(length: number): boolean {
    const { maxHeaderBytes } = this.#limits;
    if (this.#part !== 'fields') {
      if (length <= maxHeaderBytes) return false;
      this.refusal = refusal(414, `the request line has more than ${maxHeaderBytes} bytes`);
      return true;
    }
    // The empty line is no header.
    const bytes = length - this.#fieldsStart - (this.#field.isEnd ? 2 : 0);
    if (bytes <= maxHeaderBytes) return false;
    this.refusal = headersTooLong(bytes, maxHeaderBytes);
    return true;
  }

  #complete(): HeadEvent {
    this.head.path = this.#line.path;
    this.head.authority = this.#line.authority;
    this.head.minorVersion = this.#line.minorVersion;
    this.refusal = this.#control.complete(this.head, this.#limits.maxBodyBytes);
    return this.refusal === null ? 'head' : 'refused';
  }
}
