import type { InferResponse } from '../../core/infer-response.js';
import { copyWords } from '../../memory/copy.js';
import type { OutputTensor } from '../../types/infer.js';
import type { IdBytes } from './id-bytes.js';
import { fieldBytes, ID, INFER_RESPONSE, RAW_OUTPUT_CONTENTS, writeResponseHead } from './infer-response.js';
import { LENGTH_DELIMITED } from './wire.js';
import { varintBytes, WireWriter, writeVarint } from './wire-writer.js';

/** Answers with tensors up to this size are put together in one piece, because the socket copies them anyway; larger ones are sent as views. */
const WHOLE_BYTES = 16 * 1024;

/** Room before the response for tag and length of the message of a stream that it is wrapped in. */
const WRAP_BYTES = 8;
const LONGEST_ID_BYTES = 128;
const ID_ROOM_BYTES = LONGEST_ID_BYTES + 4;

/** What is prepared for the answers to requests with one head, in either of their forms. */
export class PreparedReplies {
  /** Null = not known yet, or answers differ in more than the elements of their tensors. */
  unary: ReplyTemplate | null = null;
  stream: ReplyTemplate | null = null;
}

/**
 * The answer to all requests with one head whose outputs have fixed sizes, in memory of its own that holds everything but tensors
 * and id from the first answer on:
 *
 *     | room to wrap | name, version, outputs | raw 0 | raw 1 | ... | id |
 */
export class ReplyTemplate {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** The answer is `bytes` from here to `end`, until the next `write`. */
  begin = 0;
  end = 0;
  readonly #isStream: boolean;
  /** Where each tensor is written; the first on a multiple of four, so that it can be copied in words. */
  readonly #begins: readonly number[];
  readonly #headBegin: number;
  readonly #tensorsEnd: number;

  /** Null = answers like `outputs` of `response` can differ in more than their elements, or are too large to be copied. */
  static of(response: InferResponse, outputs: readonly OutputTensor[], isStream: boolean): ReplyTemplate | null {
    const bytes = outputs.reduce((sum, output) => sum + output.bytes.length, 0);
    const isKnown = response.hasFixedOutputs && !response.plan.usesRegions;
    return isKnown && bytes <= WHOLE_BYTES ? new ReplyTemplate(response, outputs, isStream) : null;
  }

  private constructor(response: InferResponse, outputs: readonly OutputTensor[], isStream: boolean) {
    const writer = new WireWriter();
    writeResponseHead(writer, response, outputs, isStream);
    const head = writer.view;
    const firstRaw = outputs.length === 0 ? 0 : 1 + varintBytes(outputs[0]!.bytes.length);
    this.#isStream = isStream;
    this.#headBegin = WRAP_BYTES + ((4 - ((head.length + firstRaw) % 4)) % 4);
    const tensors = outputs.reduce((sum, { bytes }) => sum + fieldBytes(bytes.length), 0);
    this.#tensorsEnd = this.#headBegin + head.length + tensors;
    this.words = new Int32Array(Math.ceil((this.#tensorsEnd + ID_ROOM_BYTES) / 4));
    this.bytes = new Uint8Array(this.words.buffer);
    this.bytes.set(head, this.#headBegin);
    this.#begins = this.#writeRawHeads(outputs, this.#headBegin + head.length);
  }

  /** Puts the answer to `response` together. False = its id is too long for this. */
  write(response: InferResponse, id: IdBytes): boolean {
    if (id.length > LONGEST_ID_BYTES) return false;
    const { arena } = response.model;
    for (let nth = 0; nth < this.#begins.length; nth++) {
      copyWords(arena, response.outputBegin(nth), this, this.#begins[nth]!, response.outputBytes(nth));
    }
    this.end = id.length === 0 ? this.#tensorsEnd : this.#writeId(id);
    this.begin = this.#isStream ? this.#wrap(this.end) : this.#headBegin;
    return true;
  }

  #writeRawHeads(outputs: readonly OutputTensor[], begin: number): number[] {
    let at = begin;
    return outputs.map(({ bytes }) => {
      this.bytes[at] = RAW_OUTPUT_CONTENTS * 8 + LENGTH_DELIMITED;
      const content = writeVarint(this.bytes, at + 1, bytes.length);
      at = content + bytes.length;
      return content;
    });
  }

  #writeId(id: IdBytes): number {
    const { bytes } = this;
    bytes[this.#tensorsEnd] = ID * 8 + LENGTH_DELIMITED;
    const begin = writeVarint(bytes, this.#tensorsEnd + 1, id.length);
    for (let index = 0; index < id.length; index++) bytes[begin + index] = id.bytes[index]!;
    return begin + id.length;
  }

  /** Writes tag and length of `infer_response` in front; where that begins. */
  #wrap(end: number): number {
    const length = end - this.#headBegin;
    const begin = this.#headBegin - 1 - varintBytes(length);
    this.bytes[begin] = INFER_RESPONSE * 8 + LENGTH_DELIMITED;
    writeVarint(this.bytes, begin + 1, length);
    return begin;
  }
}
