import { isUtf8 } from 'node:buffer';
import { invalid, type ServerError } from '../../types/errors.js';

/** How a field is written, the low three bits of its tag (protobuf encoding). */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
const GROUP_BEGIN = 3;
const GROUP_END = 4;
export const FIXED32 = 5;

const LONGEST_VARINT_BYTES = 10;
const DEEPEST_GROUP = 100;
const TWO_TO_32 = 2 ** 32;

/** A message of a client that is no message: INVALID_ARGUMENT. */
export function malformed(what: string): ServerError {
  return invalid(`the message cannot be read: ${what}`);
}

/**
 * Reads the fields of one message after another, without an allocation. Every read is checked against `end`; what is wrong is a
 * ServerError that names it.
 */
export class WireReader {
  bytes: Buffer;
  at = 0;
  end = 0;
  /** The last `varint`, unsigned. */
  low = 0;
  high = 0;

  constructor(bytes: Buffer, begin: number, end: number) {
    this.bytes = bytes;
    this.at = begin;
    this.end = end;
  }

  get isDone(): boolean {
    return this.at >= this.end;
  }

  /** Field number << 3 | wire type. */
  tag(): number {
    const tag = this.uint32();
    if (tag < 8) throw malformed('a field has the number 0');
    return tag;
  }

  /** The low 32 bits of a varint. */
  uint32(): number {
    this.varint();
    return this.low;
  }

  /** Any 64 bits, into `low` and `high`. */
  varint(): void {
    const first = this.#byte();
    this.high = 0;
    this.low = first;
    if (first < 0x80) return;
    this.low = first & 0x7f;
    for (let index = 1; index < LONGEST_VARINT_BYTES; index++) {
      const byte = this.#byte();
      this.#addBits(byte & 0x7f, index * 7);
      if (byte < 0x80) return;
    }
    throw malformed(`a varint has more than ${LONGEST_VARINT_BYTES} bytes`);
  }

  /** Exact: a bigint beyond 2^53. */
  int64(): number | bigint {
    this.varint();
    const value = (this.high | 0) * TWO_TO_32 + this.low;
    if (Number.isSafeInteger(value)) return value;
    return (BigInt(this.high | 0) << 32n) | BigInt(this.low);
  }

  uint64(): number | bigint {
    this.varint();
    const value = this.high * TWO_TO_32 + this.low;
    return Number.isSafeInteger(value) ? value : (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  bool(): boolean {
    this.varint();
    return (this.low | this.high) !== 0;
  }

  double(): number {
    const begin = this.#take(8);
    return this.bytes.readDoubleLE(begin);
  }

  /** The length of a length-delimited field, all of which is there; the reader stands at its first byte. */
  length(): number {
    this.varint();
    const length = this.high * TWO_TO_32 + this.low;
    if (length > this.end - this.at) {
      throw malformed(
        `a field of ${length} bytes ends behind the message, of which ${this.end - this.at} bytes are left`,
      );
    }
    return length;
  }

  string(): string {
    const length = this.length();
    const begin = this.#take(length);
    const text = this.bytes.subarray(begin, begin + length);
    if (!isUtf8(text)) throw malformed('a string is not UTF-8');
    return this.bytes.toString('utf8', begin, begin + length);
  }

  /** Over the value of a field that nobody asked for. */
  skip(wireType: number, depth = 0): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED64) this.#take(8);
    else if (wireType === FIXED32) this.#take(4);
    else if (wireType === LENGTH_DELIMITED) this.#take(this.length());
    else if (wireType === GROUP_BEGIN && depth < DEEPEST_GROUP) this.#skipGroup(depth + 1);
    else throw malformed(`a field has the wire type ${wireType}`);
  }

  #skipGroup(depth: number): void {
    for (;;) {
      const wireType = this.tag() & 7;
      if (wireType === GROUP_END) return;
      this.skip(wireType, depth);
    }
  }

  #addBits(bits: number, shift: number): void {
    if (shift < 28) this.low |= bits << shift;
    else if (shift === 28) {
      this.low |= bits << 28;
      this.high = bits >>> 4;
    } else this.high |= bits << (shift - 32);
    this.low >>>= 0;
    this.high >>>= 0;
  }

  #byte(): number {
    if (this.at >= this.end) throw malformed('it ends within a field');
    return this.bytes[this.at++]!;
  }

  /** Moves over `count` bytes; where they begin. */
  #take(count: number): number {
    const begin = this.at;
    if (count > this.end - begin) throw malformed('it ends within a field');
    this.at = begin + count;
    return begin;
  }
}
