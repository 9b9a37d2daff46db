import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ServerError } from '../types/errors.js';

/** A protobuf field whose content has not been read: where it lies in the file. */
export interface WireField {
  readonly number: number;
  /** 0 = varint, 1 = 8 bytes, 2 = length-delimited, 5 = 4 bytes. */
  readonly wire: number;
  /** First byte of the content, and the one behind it. */
  readonly begin: number;
  readonly end: number;
  /** Of a varint, exact up to 2^53: what is beyond (negative numbers too) is no safe integer. 0 for other fields. */
  readonly value: number;
}

/** Read at a time. Each tensor that is skipped costs a window, so it is small. */
const WINDOW_BYTES = 16 * 1024;

/** Longer names are none: the bytes are something else. */
const MAX_TEXT_BYTES = 64 * 1024;

const MAX_VARINT_BYTES = 10;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;

/**
 * Walks the fields of a protobuf file without reading what is skipped: a model of gigabytes is a few windows. Owns the open file
 * until `close`. Throws INTERNAL with ONNX Runtime's text where the bytes are no protobuf (fact sheet 13.2 item 29).
 */
export class WireFile {
  readonly path: string;
  readonly size: number;
  readonly #file: number;
  readonly #windowBytes: number;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;

  constructor(path: string, windowBytes = WINDOW_BYTES) {
    this.path = path;
    this.#windowBytes = windowBytes;
    this.#file = openSync(path, 'r');
    this.size = fstatSync(this.#file).size;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The fields between two positions, in order. */
  *fields(begin: number, end: number): Generator<WireField> {
    for (let at = begin; at < end; ) {
      const tag = this.#varint(at, end);
      const field = this.#field(Math.floor(tag.value / 8), tag.value % 8, tag.next, end);
      yield field;
      at = field.end;
    }
  }

  /** The fields of a message in a message. */
  within(message: WireField): Generator<WireField> {
    return this.fields(message.begin, message.end);
  }

  text(field: WireField): string {
    if (field.end - field.begin > MAX_TEXT_BYTES) throw this.#broken();
    return this.#view(field.begin, field.end).toString('utf8');
  }

  #field(number: number, wire: number, at: number, end: number): WireField {
    if (number === 0 || number > MAX_FIELD_NUMBER) throw this.#broken();
    if (wire === 0) {
      const { value, next } = this.#varint(at, end);
      return { number, wire, begin: at, end: next, value };
    }
    if (wire === 1) return this.#span(number, wire, at, 8, end);
    if (wire === 5) return this.#span(number, wire, at, 4, end);
    if (wire !== 2) throw this.#broken();
    const length = this.#varint(at, end);
    return this.#span(number, wire, length.next, length.value, end);
  }

  #span(number: number, wire: number, begin: number, length: number, end: number): WireField {
    if (begin + length > end) throw this.#broken();
    return { number, wire, begin, end: begin + length, value: 0 };
  }

  #varint(at: number, end: number): { value: number; next: number } {
    const bytes = this.#view(at, Math.min(end, at + MAX_VARINT_BYTES));
    let value = 0;
    for (let i = 0; i < bytes.length; i++) {
      value += (bytes[i]! & 127) * 2 ** (7 * i);
      if (bytes[i]! < 128) return { value, next: at + i + 1 };
    }
    throw this.#broken();
  }

  /** Bytes of the file, valid until the next call. */
  #view(begin: number, end: number): Buffer {
    if (begin < this.#windowAt || end > this.#windowAt + this.#window.length) this.#fill(begin, end - begin);
    return this.#window.subarray(begin - this.#windowAt, end - this.#windowAt);
  }

  /** A read may return less than asked for; nothing at all means that the file has become shorter. */
  #fill(begin: number, atLeast: number): void {
    const window = Buffer.alloc(Math.min(Math.max(this.#windowBytes, atLeast), this.size - begin));
    let filled = 0;
    while (filled < atLeast) {
      const count = readSync(this.#file, window, filled, window.length - filled, begin + filled);
      if (count === 0) throw this.#broken();
      filled += count;
    }
    this.#window = window.subarray(0, filled);
    this.#windowAt = begin;
  }

  #broken(): ServerError {
    return new ServerError(
      'INTERNAL',
      `onnx runtime error 7: Load model from ${this.path} failed:Protobuf parsing failed.`,
    );
  }
}

/** Those that are messages, texts or bytes. A known field of another wire type is an unknown field: protobuf skips it. */
export function* messages(fields: Iterable<WireField>): Generator<WireField> {
  for (const field of fields) if (field.wire === 2) yield field;
}
