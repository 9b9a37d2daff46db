import { openSync, readSync, closeSync, fstatSync } from 'node:fs';
import { ServerError } from '../types/errors.js';

/** A protobuf field whose content has not been read: where it lies in the file. */
export interface WireField {
  readonly number: number;
  /** 0 = varint, 1 = 8 bytes, 2 = length-delimited, 5 = 4 bytes. */
  readonly wire: number;
  /** First byte of the content, and the one behind it. */
  readonly begin: number;
  readonly end: number;
  /** The value of a varint. */
  readonly value: number;
}

const WINDOW_BYTES = 64 * 1024;

/**
 * Walks the fields of a protobuf file without reading what is skipped: a model of gigabytes is a few windows. Throws INTERNAL as
 * ONNX Runtime does where the bytes are no protobuf.
 */
export class WireFile {
  readonly #path: string;
  readonly #file: number;
  readonly #size: number;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  readonly #windowBytes: number;

  constructor(path: string, windowBytes = WINDOW_BYTES) {
    this.#path = path;
    this.#windowBytes = windowBytes;
    this.#file = openSync(path, 'r');
    this.#size = fstatSync(this.#file).size;
  }

  get size(): number {
    return this.#size;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The fields between two positions, in order. */
  *fields(begin: number, end: number): Generator<WireField> {
    for (let at = begin; at < end; ) {
      const tag = this.#varint(at, end);
      const field = this.#field(tag.value, tag.next, end);
      yield field;
      at = field.end;
    }
  }

  text(field: WireField): string {
    return this.read(field.begin, field.end).toString('utf8');
  }

  read(begin: number, end: number): Buffer {
    if (end - begin <= this.#windowBytes) return Buffer.from(this.#view(begin, end));
    const bytes = Buffer.alloc(end - begin);
    readSync(this.#file, bytes, 0, bytes.length, begin);
    return bytes;
  }

  #field(tag: number, at: number, end: number): WireField {
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number === 0) throw this.#broken();
    if (wire === 0) {
      const { value, next } = this.#varint(at, end);
      return { number, wire, begin: at, end: next, value };
    }
    if (wire === 1) return this.#fixed(number, wire, at, at + 8, end);
    if (wire === 5) return this.#fixed(number, wire, at, at + 4, end);
    if (wire !== 2) throw this.#broken();
    const length = this.#varint(at, end);
    return this.#fixed(number, wire, length.next, length.next + length.value, end);
  }

  #fixed(number: number, wire: number, begin: number, to: number, end: number): WireField {
    if (to > end) throw this.#broken();
    return { number, wire, begin, end: to, value: 0 };
  }

  /** Values beyond 2^53 lose digits: nobody asks for one (negative dimensions are told by their sign bit, see `signed`). */
  #varint(at: number, end: number): { value: number; next: number } {
    const bytes = this.#view(at, Math.min(end, at + 10));
    let value = 0;
    for (let i = 0; i < bytes.length; i++) {
      value += (bytes[i]! & 127) * 2 ** (7 * i);
      if (bytes[i]! < 128) return { value, next: at + i + 1 };
    }
    throw this.#broken();
  }

  #view(begin: number, end: number): Buffer {
    if (begin < this.#windowAt || end > this.#windowAt + this.#window.length) {
      const length = Math.min(Math.max(this.#windowBytes, end - begin), this.#size - begin);
      this.#window = Buffer.alloc(length);
      this.#windowAt = begin;
      readSync(this.#file, this.#window, 0, length, begin);
    }
    return this.#window.subarray(begin - this.#windowAt, end - this.#windowAt);
  }

  #broken(): ServerError {
    return new ServerError(
      'INTERNAL',
      `onnx runtime error 7: Load model from ${this.#path} failed:Protobuf parsing failed.`,
    );
  }
}
