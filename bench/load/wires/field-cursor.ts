import { BadAnswer } from './failures.js';

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** Goes through the fields of a message of protobuf (https://protobuf.dev/programming-guides/encoding/), without making anything of them. */
export class FieldCursor {
  field = 0;
  /** Of a field with a length its bytes, `bytes[start, end)`; else `start` is `end`. */
  start = 0;
  end = 0;
  /** Of a varint. */
  value = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #limit = 0;

  begin(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = end;
  }

  /** To the next field; `false` = there is none. */
  next(): boolean {
    if (this.#at >= this.#limit) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    this.#skip(tag & 7);
    if (this.#at > this.#limit) throw new BadAnswer('a message of protobuf that is cut off');
    return true;
  }

  #skip(type: number): void {
    if (type === VARINT) this.value = this.#varint();
    const size = type === LENGTH ? this.#varint() : sizeOf(type);
    this.start = this.#at;
    this.end = this.#at + size;
    this.#at = this.end;
  }

  /** Exact up to 2^53, which is enough for lengths. */
  #varint(): number {
    let value = 0;
    for (let factor = 1; this.#at < this.#limit; factor *= 128) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new BadAnswer('a message of protobuf that is cut off');
  }
}

function sizeOf(type: number): number {
  if (type === VARINT) return 0;
  if (type === FIXED64) return 8;
  if (type === FIXED32) return 4;
  throw new BadAnswer(`a field of protobuf with the wire type ${type}`);
}
