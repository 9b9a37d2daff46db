import type { ByteCollector } from './byte-collector.js';
import { BadAnswer } from './failures.js';

const CR = 0x0d;
const LF = 0x0a;

/** What comes next, in the order of RFC 9112, 7.1; `extension`: the rest of the line with a size. */
type Part = 'size' | 'extension' | 'data' | 'data-end' | 'trailers';

const SIZE_DIGITS_MAX = 12;

/** Collects the data of a body in chunks, wherever it is cut; ready for the next body when one is whole. */
export class ChunkReader {
  readonly #body: ByteCollector;
  #part: Part = 'size';
  #digits = 0;
  /** Of this chunk: its size as far as it was read, then what is still to come. */
  #missing = 0;
  /** Bytes of this line of the trailers. */
  #lineBytes = 0;

  constructor(body: ByteCollector) {
    this.#body = body;
  }

  /** @returns where the body ends; -1 = not in these bytes */
  feed(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; ) {
      if (this.#part === 'data') {
        at = this.#data(bytes, at, end);
      } else {
        if (this.#take(bytes[at]!)) return at + 1;
        at++;
      }
    }
    return -1;
  }

  #data(bytes: Buffer, start: number, end: number): number {
    const dataEnd = Math.min(end, start + this.#missing);
    this.#body.append(bytes, start, dataEnd);
    this.#missing -= dataEnd - start;
    if (this.#missing === 0) this.#part = 'data-end';
    return dataEnd;
  }

  /** @returns it was the last of the body */
  #take(byte: number): boolean {
    switch (this.#part) {
      case 'size':
        this.#size(byte);
        return false;
      case 'extension':
        if (byte === LF) this.#beginData();
        return false;
      case 'data-end':
        this.#dataEnd(byte);
        return false;
      default:
        return this.#trailers(byte);
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#missing = this.#missing * 16 + digit;
      if (++this.#digits > SIZE_DIGITS_MAX) throw new BadAnswer('the size of a chunk has too many digits');
      return;
    }
    if (this.#digits === 0) throw new BadAnswer('expected the size of a chunk');
    this.#digits = 0;
    this.#part = 'extension';
    if (byte === LF) this.#beginData();
  }

  #beginData(): void {
    this.#part = this.#missing > 0 ? 'data' : 'trailers';
    this.#lineBytes = 0;
  }

  #dataEnd(byte: number): void {
    if (byte === LF) this.#part = 'size';
    else if (byte !== CR) throw new BadAnswer('a chunk is longer than its size');
  }

  #trailers(byte: number): boolean {
    if (byte === CR) return false;
    if (byte !== LF) {
      this.#lineBytes++;
      return false;
    }
    const isEnd = this.#lineBytes === 0;
    this.#lineBytes = 0;
    if (isEnd) this.#part = 'size';
    return isEnd;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
