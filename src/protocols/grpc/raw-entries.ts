import type { AcceptedRequest } from '../../core/infer-response.js';
import { copyBytes } from '../../memory/copy.js';
import type { ServerError } from '../../types/errors.js';
import type { IdBytes } from './id-bytes.js';
import { FIXED32, FIXED64, LENGTH_DELIMITED, malformed, VARINT } from './wire.js';

const LONGEST_VARINT_BYTES = 10;

/** tag, length: a varint is coming in. entry: bytes of an input. skipped: bytes or a varint that nobody asked for. */
type EntryState = 'tag' | 'length' | 'entry' | 'skipped' | 'skipped-varint';

/** Of the messages of one kind. */
export interface EntryForm {
  /** Of a raw entry: the last field; those with larger numbers are unknown, and skipped. Below 128. */
  readonly entryTag: number;
  readonly entryField: string;
  /** INVALID_ARGUMENT: entry `nth` of a request has `got` bytes, or there is none (-1). @param id in bytes: the plan's may be another's */
  wrongEntry(request: AcceptedRequest, nth: number, expected: number, got: number, id: IdBytes): ServerError;
}

/**
 * Writes the raw entries at the end of a message to where the request's inputs lie, as their bytes come in: the only copy they get.
 * Other known fields behind them are refused: what they say would come too late.
 */
export class RawEntries {
  readonly #form: EntryForm;
  readonly #request: AcceptedRequest;
  readonly #sizes: readonly number[];
  readonly #id: IdBytes;
  #state: EntryState = 'tag';
  #tag = 0;
  #varint = 0;
  #varintBytes = 0;
  /** The entry that is coming in, or the next. */
  #nth = 0;
  /** Bytes of the field's value that are to come, and of the entry that are written. */
  #left = 0;
  #written = 0;

  /** @param id of this request: the one in its plan may be another's */
  constructor(form: EntryForm, request: AcceptedRequest, sizes: readonly number[], id: IdBytes) {
    this.#form = form;
    this.#request = request;
    this.#sizes = sizes;
    this.#id = id;
  }

  /** Takes bytes from `begin` on. Throws INVALID_ARGUMENT for what does not fit the request. */
  write(piece: Buffer, begin: number): void {
    let at = begin;
    while (at < piece.length) {
      if (this.#state === 'entry' || this.#state === 'skipped') at = this.#take(piece, at);
      else this.#byte(piece[at++]!);
    }
  }

  /** The message is over: it must not end within a field, and every input must have its bytes. */
  end(): void {
    if (this.#state !== 'tag' || this.#varintBytes > 0) throw malformed('it ends within a field');
    if (this.#nth < this.#sizes.length) throw this.#wrong(-1);
  }

  #take(piece: Buffer, at: number): number {
    const count = Math.min(this.#left, piece.length - at);
    if (this.#state === 'entry') {
      const to = this.#request.inputBegin(this.#nth) + this.#written;
      copyBytes(piece, at, this.#request.model.arena.bytes, to, count);
      this.#written += count;
    }
    this.#left -= count;
    if (this.#left === 0) this.#endField();
    return at + count;
  }

  #byte(byte: number): void {
    if (this.#varintBytes === LONGEST_VARINT_BYTES)
      throw malformed(`a varint has more than ${LONGEST_VARINT_BYTES} bytes`);
    this.#varint += (byte & 0x7f) * 2 ** (7 * this.#varintBytes++);
    if (byte >= 0x80) return;
    const value = this.#varint;
    this.#varint = 0;
    this.#varintBytes = 0;
    if (this.#state === 'tag') this.#beginField(value);
    else if (this.#state === 'length') this.#beginBytes(value);
    else this.#state = 'tag';
  }

  #beginField(tag: number): void {
    this.#tag = tag;
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    const { entryTag, entryField } = this.#form;
    if (tag !== entryTag && field <= entryTag >> 3) {
      throw malformed(`field ${field} lies behind ${entryField} in a message that comes in pieces`);
    }
    if (wireType === LENGTH_DELIMITED) this.#state = 'length';
    else if (wireType === VARINT) this.#state = 'skipped-varint';
    else if (wireType === FIXED64 || wireType === FIXED32) this.#skip(wireType === FIXED64 ? 8 : 4);
    else throw malformed(`a field has the wire type ${wireType}`);
  }

  #beginBytes(length: number): void {
    if (this.#tag !== this.#form.entryTag || this.#nth >= this.#sizes.length) {
      this.#skip(length);
      return;
    }
    if (length !== this.#sizes[this.#nth]) throw this.#wrong(length);
    this.#state = 'entry';
    this.#left = length;
    this.#written = 0;
    if (length === 0) this.#endField();
  }

  #skip(bytes: number): void {
    this.#state = bytes === 0 ? 'tag' : 'skipped';
    this.#left = bytes;
  }

  #endField(): void {
    if (this.#state === 'entry') this.#nth++;
    this.#state = 'tag';
  }

  #wrong(got: number): ServerError {
    return this.#form.wrongEntry(this.#request, this.#nth, this.#sizes[this.#nth]!, got, this.#id);
  }
}
