import { unreachable } from '../../base/assert.js';
import type { RequestLimits } from './limits.js';
import { BACKSLASH, CR, hexValue, isValue, LF, QUOTE, SEMICOLON, SPACE, TAB } from './octets.js';
import { bodyTooLarge, doubt, type Refusal, refusal } from './refusal.js';
import { TrailerParser } from './trailer-parser.js';

/** 48 bits: exact as a number, and beyond any limit. */
const SIZE_DIGITS_MAX = 12;

/** All extensions of one body together: they are of no use to us, and could be sent for ever (RFC 9112, 7.1.1). */
const EXTENSION_BYTES_MAX = 4096;

/** `data`: from `dataStart` to `position` the chunk has bytes of the body. `end`: the body is complete. */
export type ChunkedEvent = 'more' | 'data' | 'end' | 'refused';

/**
 * Where in the framing the next byte belongs. blank: between a size and the semicolon of an extension. quoted, escaped: in a quoted
 * string of one, and behind a backslash there.
 */
type Part =
  | 'size'
  | 'blank'
  | 'extension'
  | 'quoted'
  | 'escaped'
  | 'size-end'
  | 'data'
  | 'data-return'
  | 'data-end'
  | 'trailer';

/** The chunked transfer coding (RFC 9112, 7.1). */
export class ChunkedParser {
  refusal: Refusal | null = null;
  dataStart = 0;
  /** Where in the chunk of the socket the last call stopped. */
  position = 0;

  readonly #limits: RequestLimits;
  readonly #trailer: TrailerParser;
  #part: Part = 'size';
  #size = 0;
  #digits = 0;
  /** Of the data of this chunk. */
  #left = 0;
  #bodyBytes = 0;
  #extensionBytes = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
    this.#trailer = new TrailerParser(limits);
  }

  begin(): void {
    this.#part = 'size';
    this.#size = 0;
    this.#digits = 0;
    this.#bodyBytes = 0;
    this.#extensionBytes = 0;
    this.#trailer.begin();
  }

  next(bytes: Uint8Array, start: number, end: number): ChunkedEvent {
    let at = start;
    while (at < end) {
      if (this.#part === 'data') return this.#data(at, end);
      const event = this.#take(bytes[at++]!);
      if (event === 'more') continue;
      this.position = at;
      return event;
    }
    this.position = at;
    return 'more';
  }

  #data(at: number, end: number): 'data' {
    const length = Math.min(this.#left, end - at);
    this.#left -= length;
    if (this.#left === 0) this.#part = 'data-return';
    this.dataStart = at;
    this.position = at + length;
    return 'data';
  }

  /** One byte of the framing. */
  #take(byte: number): 'more' | 'end' | 'refused' {
    switch (this.#part) {
      case 'size':
        return this.#takeSize(byte);
      case 'blank':
        return this.#takeBlank(byte);
      case 'extension':
      case 'quoted':
      case 'escaped':
        return this.#takeExtension(byte);
      case 'size-end':
        return byte === LF ? this.#sizeComplete() : this.#refuse(badSize);
      case 'data-return':
        this.#part = 'data-end';
        return byte === CR ? 'more' : this.#refuse(badEnd);
      case 'data-end':
        this.#part = 'size';
        return byte === LF ? 'more' : this.#refuse(badEnd);
      case 'trailer':
        return this.#takeTrailer(byte);
      case 'data':
        return 'more';
      default:
        return unreachable(this.#part);
    }
  }

  #takeSize(byte: number): 'more' | 'refused' {
    const digit = hexValue[byte]!;
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS_MAX) return this.#refuse(badSize);
      this.#size = this.#size * 16 + digit;
      return 'more';
    }
    return this.#digits === 0 ? this.#refuse(badSize) : this.#takeBlank(byte);
  }

  /** BWS before the semicolon must be understood (RFC 9112, 7.1.1; RFC 9110, 5.6.3); without a semicolon it must not be there. */
  #takeBlank(byte: number): 'more' | 'refused' {
    if (byte === CR && this.#part === 'size') this.#part = 'size-end';
    else if (byte === SEMICOLON) this.#part = 'extension';
    else if (byte === SPACE || byte === TAB) this.#part = 'blank';
    else return this.#refuse(badSize);
    return this.#countExtension();
  }

  /** Not read, but for where it ends: to some readers a line end within quotes is none (RFC 9110, 5.6.4: it does not belong there). */
  #takeExtension(byte: number): 'more' | 'refused' {
    if (byte === CR && this.#part === 'extension') this.#part = 'size-end';
    else if (isValue[byte] === 0) return this.#refuse(badSize);
    else if (this.#part === 'escaped') this.#part = 'quoted';
    else if (byte === QUOTE) this.#part = this.#part === 'quoted' ? 'extension' : 'quoted';
    else if (byte === BACKSLASH && this.#part === 'quoted') this.#part = 'escaped';
    return this.#countExtension();
  }

  #countExtension(): 'more' | 'refused' {
    if (this.#part === 'size-end' || ++this.#extensionBytes <= EXTENSION_BYTES_MAX) return 'more';
    return this.#refuse(extensionsTooLong);
  }

  #sizeComplete(): 'more' | 'refused' {
    const size = this.#size;
    this.#size = 0;
    this.#digits = 0;
    this.#left = size;
    this.#bodyBytes += size;
    this.#part = size === 0 ? 'trailer' : 'data';
    return this.#bodyBytes <= this.#limits.maxBodyBytes
      ? 'more'
      : this.#refuse(bodyTooLarge(this.#limits.maxBodyBytes));
  }

  #takeTrailer(byte: number): 'more' | 'end' | 'refused' {
    const event = this.#trailer.take(byte);
    if (event === 'refused') this.refusal = this.#trailer.refusal;
    return event;
  }

  #refuse(reason: Refusal): 'refused' {
    this.refusal = reason;
    return 'refused';
  }
}

const badSize = doubt('a chunk begins with its size in at most 12 hexadecimal digits and a line end (CR LF)');
const badEnd = doubt('the data of a chunk ends with a line end (CR LF) where its size says');
const extensionsTooLong = refusal(413, `the chunk extensions have more than ${EXTENSION_BYTES_MAX} bytes`);
