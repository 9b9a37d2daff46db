import { ServerError } from '../../types/errors.js';

/** A protobuf field: what it holds, as far as its wire type tells. */
export interface Field {
  readonly number: number;
  /** 0 = varint, 1 = 8 bytes, 2 = length-delimited, 5 = 4 bytes. */
  readonly wire: number;
  /** Of a varint, as a signed 64-bit number; 0n for others. */
  readonly value: bigint;
  /** The content; empty for a varint. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const MAX_VARINT_BYTES = 10;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
const MAX_TEXT_BYTES = 64 * 1024;

/** The fields of a message, in order, as views. Throws INVALID_ARGUMENT where the bytes are no protobuf. */
export function* fields(bytes: Uint8Array): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const tag = varint(bytes, at);
    const number = Number(tag.value >> 3n);
    const wire = Number(tag.value & 7n);
    if (number <= 0 || number > MAX_FIELD_NUMBER) throw broken(`field number ${number}`);
    if (wire === 0) {
      const { value, next } = varint(bytes, tag.next);
      yield { number, wire, value, bytes: NOTHING };
      at = next;
      continue;
    }
    const { begin, end } = span(bytes, wire, tag.next);
    yield { number, wire, value: 0n, bytes: bytes.subarray(begin, end) };
    at = end;
  }
}

/** Those that are messages, texts or bytes. */
export function* messages(bytes: Uint8Array): Generator<Field> {
  for (const field of fields(bytes)) if (field.wire === 2) yield field;
}

function span(bytes: Uint8Array, wire: number, at: number): { begin: number; end: number } {
  let begin = at;
  let length = wire === 1 ? 8 : 4;
  if (wire === 2) {
    const read = varint(bytes, at);
    begin = read.next;
    length = Number(read.value);
  } else if (wire !== 1 && wire !== 5) throw broken(`wire type ${wire}`);
  if (length < 0 || length > bytes.length - begin) throw broken('a field that ends behind its message');
  return { begin, end: begin + length };
}

function varint(bytes: Uint8Array, at: number): { value: bigint; next: number } {
  let low = 0;
  let factor = 1;
  // Nearly all are short: numbers hold 49 bits.
  for (let i = 0; i < 7 && at + i < bytes.length; i++) {
    const byte = bytes[at + i]!;
    low += (byte & 127) * factor;
    if (byte < 128) return { value: BigInt(low), next: at + i + 1 };
    factor *= 128;
  }
  let value = 0n;
  for (let i = 0; i < MAX_VARINT_BYTES && at + i < bytes.length; i++) {
    const byte = bytes[at + i]!;
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return { value: BigInt.asIntN(64, value), next: at + i + 1 };
  }
  throw broken('a number that does not end');
}

export function text(field: Field): string {
  if (field.wire !== 2 || field.bytes.length > MAX_TEXT_BYTES) throw broken('a name that is no text');
  return Buffer.from(field.bytes.buffer, field.bytes.byteOffset, field.bytes.length).toString('utf8');
}

/** A whole number that a double holds. */
export function whole(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw broken(`the number ${value}`);
}

/** Elements of a repeated number, packed or one by one. */
export function* varints(field: Field): Generator<bigint> {
  if (field.wire === 0) yield field.value;
  if (field.wire !== 2) return;
  for (let at = 0; at < field.bytes.length; ) {
    const { value, next } = varint(field.bytes, at);
    yield value;
    at = next;
  }
}

export function broken(what: string): ServerError {
  return new ServerError('INVALID_ARGUMENT', `not a TensorFlow graph: protobuf has ${what}`);
}
