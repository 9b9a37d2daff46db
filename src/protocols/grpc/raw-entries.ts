import { requestTag } from '../../core/check-request.js';
import type { AcceptedRequest } from '../../core/infer-response.js';
import { copyBytes } from '../../memory/copy.js';
import { invalid } from '../../types/errors.js';
import type { IdBytes } from './id-bytes.js';
import { noData } from './infer-head.js';
import { RAW_INPUT_CONTENTS } from './infer-message.js';
import { FIXED32, FIXED64, LENGTH_DELIMITED, malformed, VARINT } from './wire.js';

const LONGEST_VARINT_BYTES = 10;
/** Fields with larger numbers are unknown, and skipped. */
const LAST_FIELD = 7;

/** tag, length: a varint is coming in. entry: bytes of an input. skipped: bytes or a varint that nobody asked for. */
type EntryState = 'tag' | 'length' | 'entry' | 'skipped' | 'skipped-varint';

/**
 * Writes the raw entries at the end of a message to where the request's inputs lie, as their bytes come in: the only copy they get.
 * Other known fields behind them are refused: what they say would come too late.
 */
export class RawEntries {
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
  constructor(request: AcceptedRequest, sizes: readonly number[], id: IdBytes) {
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
    if (this.#nth >= this.#sizes.length) return;
    const { plan, model } = this.#request;
    throw noData(plan.inputs[this.#nth]!.head.name, model.name);
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
    if (tag !== RAW_INPUT_CONTENTS && field <= LAST_FIELD) {
      throw malformed(`field ${field} lies behind raw_input_contents in a message that comes in pieces`);
    }
    if (wireType === LENGTH_DELIMITED) this.#state = 'length';
    else if (wireType === VARINT) this.#state = 'skipped-varint';
    else if (wireType === FIXED64 || wireType === FIXED32) this.#skip(wireType === FIXED64 ? 8 : 4);
    else throw malformed(`a field has the wire type ${wireType}`);
  }

  #beginBytes(length: number): void {
    if (this.#tag !== RAW_INPUT_CONTENTS || this.#nth >= this.#sizes.length) {
      this.#skip(length);
      return;
    }
    if (length !== this.#sizes[this.#nth]) throw this.#sizeMismatch(length);
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

  #sizeMismatch(got: number) {
    const { plan, model } = this.#request;
    const { name } = plan.inputs[this.#nth]!.head;
    return invalid(
      `${requestTag(Buffer.from(this.#id.view).toString())}input byte size mismatch for input '${name}' for model '${model.name}'. Expected ${this.#sizes[this.#nth]}, got ${got}`,
    );
  }
}
