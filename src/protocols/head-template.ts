import type { InferHead } from '../types/infer.js';
import type { DataRange } from './data-range.js';
import { DEEPEST } from './json-scanner.js';
import { skipPlainString } from './plain-string.js';
import { findSequenceId, skipSequenceId } from './sequence-id-gap.js';

const QUOTE = 0x22;

/**
 * The text of a head around its JSON `data`, its id and that of its sequence. Requests repeat but for these: one that has the same bytes around them needs
 * neither be parsed nor be checked against its model again. 190 ns for the model `simple`, where parsing takes 640
 * (`npm run bench:micro -- --only json/head`).
 */
export class HeadTemplate {
  /** One per input with JSON data, in the order of the head; those of the last match, overwritten by the next call of `match`. */
  readonly ranges: readonly DataRange[];
  /** The same for the id, with its quotation marks; null = the id is part of the text. */
  readonly id: DataRange | null;
  /** The same for the id of the sequence; null = there is none, or it is part of the text. */
  readonly sequenceId: DataRange | null;
  readonly #isTextId: boolean;
  /** Bytes of the text before, between and behind what differs. */
  readonly textBytes: number;
  readonly #parts: readonly Uint8Array[];
  /** What lies between the parts: `ranges` and ids, as they come. */
  readonly #gaps: readonly DataRange[];

  /**
   * `head` is what `parseInferHead` made of bytes `begin` to `end` of `body`, which is copied.
   * @param id where it lies; only one that `isPlainId` says yes to
   */
  constructor(body: Buffer, begin: number, end: number, head: InferHead, id: DataRange | null = null) {
    this.ranges = head.inputs.flatMap(({ source }) =>
      source.kind === 'json' ? [{ start: source.start, end: source.end }] : [],
    );
    this.id = id === null ? null : { ...id };
    this.sequenceId = findSequenceId(body, begin, end, this.ranges, head.sequenceId);
    this.#isTextId = typeof head.sequenceId === 'string';
    const ids = [this.id, this.sequenceId].filter((range) => range !== null);
    this.#gaps = [...this.ranges, ...ids].sort((a, b) => a.start - b.start);
    const begins = [begin, ...this.#gaps.map((gap) => gap.end)];
    const ends = [...this.#gaps.map((gap) => gap.start), end];
    this.#parts = begins.map((at, nth) => Uint8Array.prototype.slice.call(body, at, ends[nth]));
    this.textBytes = this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  /**
   * True = bytes `begin` to `end` differ from the template in the elements of its arrays and in its ids only, and `ranges`, `id` and
   * `sequenceId` tell where these are. False says nothing: arrays of strings and broken ones never match, so that `parseInferHead` looks at them.
   */
  match(body: Buffer, begin: number, end: number): boolean {
    const parts = this.#parts;
    let at = begin;
    for (let nth = 0; nth < parts.length; nth++) {
      const part = parts[nth]!;
      if (end - at < part.length || !isAt(part, body, at)) return false;
      at += part.length;
      if (nth === parts.length - 1) break;
      const gap = this.#gaps[nth]!;
      gap.start = at;
      if (gap === this.id) at = skipPlainString(body, at, end);
      else if (gap === this.sequenceId) at = skipSequenceId(body, at, end, this.#isTextId);
      else at = skipNumbers(body, at, end);
      if (at < 0) return false;
      gap.end = at;
    }
    return at === end;
  }
}

/** Whether the string at `begin` is short, and of ASCII characters that mean themselves: it can be taken from there, and sent back, as it is. */
export function isPlainId(body: Buffer, begin: number, end: number): boolean {
  return skipPlainString(body, begin, end) === end;
}

/** Shorter texts are compared here: a native call costs as much (measured: 76 ns for 300 bytes, where a loop takes 200). */
const NATIVE_COMPARE_BYTES = 96;

function isAt(part: Uint8Array, body: Buffer, at: number): boolean {
  if (part.length >= NATIVE_COMPARE_BYTES) return body.compare(part, 0, part.length, at, at + part.length) === 0;
  for (let i = 0; i < part.length; i++) if (part[i] !== body[at + i]) return false;
  return true;
}

/** Behind the array that begins at `at`; -1 = there is none, or one that is not for this file. */
function skipNumbers(body: Buffer, begin: number, end: number): number {
  let depth = 0;
  for (let at = begin; at < end; at++) {
    const byte = body[at]!;
    if (byte < 0x5b) {
      if (byte === QUOTE || depth === 0) return -1;
    } else if (byte === 0x5b) {
      if (++depth > DEEPEST) return -1;
    } else if (byte === 0x5d) {
      if (--depth <= 0) return depth === 0 ? at + 1 : -1;
    } else if (byte >= 0x7b) {
      return -1;
    }
  }
  return -1;
}
