import { unreachable } from '../../base/assert.js';
import { ChunkedParser } from './chunked-parser.js';
import type { Head } from './head.js';
import { HeadParser } from './head-parser.js';
import type { RequestLimits } from './limits.js';
import type { Refusal } from './refusal.js';

/**
 * more: all bytes are taken; `push` the next ones.
 * head: a request begins, its head is in `head` until the next call. Where its `contentLength` is 0, that is all of it.
 * body: `body` has some of its bytes, and more will come.
 * end: `body` has the last of them, or none.
 * refused: `refusal` says why; nothing can be read from this connection any more.
 */
export type RequestEvent = 'more' | 'head' | 'body' | 'end' | 'refused';

const noBytes = Buffer.alloc(0);
const nothing = new Uint8Array(0);

/**
 * Bytes of a connection in, requests out (RFC 9112). It is asked for one event after another, so that whoever asks may stop
 * between two of them and go on later: what is not taken yet stays here. Without a socket, a timer or a buffer for bodies.
 */
export class RequestParser {
  refusal: Refusal | null = null;
  /** A view of the pushed bytes: valid until they are reused. No Buffer, whose `slice` makes no copy. */
  body: Uint8Array = nothing;

  readonly #heads: HeadParser;
  readonly #chunked: ChunkedParser;
  #part: 'head' | 'counted' | 'chunked' | 'refused' = 'head';
  #chunk: Buffer = noBytes;
  #at = 0;
  /** Behind the last byte of it that is to be read. */
  #end = 0;
  /** Bytes of a counted body to come. */
  #left = 0;

  constructor(limits: RequestLimits) {
    this.#heads = new HeadParser(limits);
    this.#chunked = new ChunkedParser(limits);
  }

  get head(): Head {
    return this.#heads.head;
  }

  /** There are bytes that `next` has not looked at. */
  get hasInput(): boolean {
    return this.#at < this.#end;
  }

  /** Some of a request has come, and not all of it. */
  get isInside(): boolean {
    return this.#part === 'head' ? this.#heads.isInside : this.#part !== 'refused';
  }

  /** The first `end` bytes; only when those before are taken. They are read where they lie: until `next` says `more`, or `keep` is called. */
  push(bytes: Buffer, end = bytes.length): void {
    this.#chunk = bytes;
    this.#at = 0;
    this.#end = end;
  }

  /** Makes a copy of the bytes that are not taken yet: whoever pushed them needs the place. */
  keep(): void {
    this.#chunk = Buffer.from(this.#chunk.subarray(this.#at, this.#end));
    this.#at = 0;
    this.#end = this.#chunk.length;
  }

  /** What comes behind the last head is no HTTP: a copy of the bytes that are not taken yet, which are none of its own any more. */
  takeRest(): Buffer {
    this.keep();
    const rest = this.#chunk;
    this.#rest();
    return rest;
  }

  next(): RequestEvent {
    if (this.#at === this.#end) return this.#rest();
    switch (this.#part) {
      case 'head':
        return this.#nextHead();
      case 'counted':
        return this.#nextCounted();
      case 'chunked':
        return this.#nextChunked();
      case 'refused':
        return 'refused';
      default:
        return unreachable(this.#part);
    }
  }

  /** Holds on to nothing while nothing comes. */
  #rest(): 'more' {
    this.#chunk = noBytes;
    this.#at = 0;
    this.#end = 0;
    this.body = nothing;
    this.#heads.release();
    return 'more';
  }

  #nextHead(): RequestEvent {
    const event = this.#heads.next(this.#chunk, this.#at, this.#end);
    this.#at = this.#heads.position;
    if (event === 'refused') return this.#refuse(this.#heads.refusal);
    if (event === 'more') return this.#rest();
    const { contentLength } = this.#heads.head;
    if (contentLength > 0) {
      this.#part = 'counted';
      this.#left = contentLength;
    } else if (contentLength < 0) {
      this.#part = 'chunked';
      this.#chunked.begin();
    }
    return 'head';
  }

  #nextCounted(): RequestEvent {
    const end = Math.min(this.#at + this.#left, this.#end);
    this.body = this.#view(this.#at, end);
    this.#left -= end - this.#at;
    this.#at = end;
    if (this.#left > 0) return 'body';
    this.#part = 'head';
    return 'end';
  }

  #nextChunked(): RequestEvent {
    const event = this.#chunked.next(this.#chunk, this.#at, this.#end);
    this.#at = this.#chunked.position;
    switch (event) {
      case 'data':
        this.body = this.#view(this.#chunked.dataStart, this.#at);
        return 'body';
      case 'end':
        this.body = nothing;
        this.#part = 'head';
        return 'end';
      case 'refused':
        return this.#refuse(this.#chunked.refusal);
      default:
        return this.#rest();
    }
  }

  #view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#chunk.buffer, this.#chunk.byteOffset + start, end - start);
  }

  #refuse(reason: Refusal | null): 'refused' {
    this.refusal = reason;
    this.#part = 'refused';
    return 'refused';
  }
}
