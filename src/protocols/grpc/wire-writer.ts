import { FIXED64, LENGTH_DELIMITED, VARINT } from './wire.js';

const FIRST_BYTES = 256;
const TWO_TO_32 = 2 ** 32;

/** Bytes of `value`, from 0 to 2^53, as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes `value`, from 0 to 2^53, as a varint; the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let position = at;
  let rest = value;
  for (; rest >= 128; rest = rest < TWO_TO_32 ? rest >>> 7 : Math.floor(rest / 128)) {
    bytes[position++] = (rest % 128) | 0x80;
  }
  bytes[position++] = rest;
  return position;
}

/** Writes the fields of a message one behind the other; grows with them. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** Valid until the next write. */
  get view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): this {
    this.#length = 0;
    return this;
  }

  /** Left out where it is empty, as proto3 has it. */
  string(field: number, text: string): this {
    if (text === '') return this;
    this.beginBytes(field, Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
    return this;
  }

  bytes(field: number, content: Uint8Array): this {
    return this.beginBytes(field, content.length).append(content);
  }

  /** As it is: whole fields, or the rest of one. */
  append(content: Uint8Array): this {
    this.#reserve(content.length);
    this.#bytes.set(content, this.#length);
    this.#length += content.length;
    return this;
  }

  bool(field: number, value: boolean): this {
    return this.varint(field * 8 + VARINT).varint(value ? 1 : 0);
  }

  /** Two's complement: a negative one has ten bytes. */
  int64(field: number, value: number | bigint): this {
    this.varint(field * 8 + VARINT);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return this.varint(Number(value));
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80);
    return this.#byte(Number(rest));
  }

  double(field: number, value: number): this {
    this.varint(field * 8 + FIXED64);
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    return this;
  }

  /** Packed; none are left out. Not negative. */
  int64s(field: number, values: readonly number[]): this {
    if (values.length === 0) return this;
    const length = values.reduce((sum, value) => sum + varintBytes(value), 0);
    this.beginBytes(field, length);
    for (const value of values) this.varint(value);
    return this;
  }

  /** Tag and length of a field whose `length` bytes follow. */
  beginBytes(field: number, length: number): this {
    this.varint(field * 8 + LENGTH_DELIMITED).varint(length);
    this.#reserve(length);
    return this;
  }

  varint(value: number): this {
    this.#reserve(varintBytes(value));
    this.#length = writeVarint(this.#bytes, this.#length, value);
    return this;
  }

  /** Tag and length of a field whose content is somewhere else. */
  header(field: number, length: number): this {
    return this.varint(field * 8 + LENGTH_DELIMITED).varint(length);
  }

  #byte(byte: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
    return this;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.view);
    this.#bytes = grown;
  }
}
