import type { InferHead } from '../types/infer.js';
import { DEEPEST } from './json-scanner.js';

const QUOTE = 0x22;

/** Where the `data` of one input lies in the body that matched last. */
export interface DataRange {
  start: number;
  end: number;
}

/**
 * The text of a head around its JSON `data`. Requests repeat but for their data: one that has the same bytes around its arrays needs
 * neither be parsed nor be checked against its model again. 190 ns for the model `simple`, where parsing takes 640
 * (`bench/json.bench.ts`).
 */
export class HeadTemplate {
  /** One per input with JSON data, in the order of the head; those of the last match, overwritten by the next call of `match`. */
  readonly ranges: readonly DataRange[];
  /** Bytes of the text before, between and behind the arrays. */
  readonly textBytes: number;
  readonly #parts: readonly Uint8Array[];

  /** `head` is what `parseInferHead` made of bytes `begin` to `end` of `body`, which is copied. */
  constructor(body: Buffer, begin: number, end: number, head: InferHead) {
    const parts: Uint8Array[] = [];
    const ranges: DataRange[] = [];
    let at = begin;
    for (const { source } of head.inputs) {
      if (source.kind !== 'json') continue;
      parts.push(Uint8Array.prototype.slice.call(body, at, source.start));
      ranges.push({ start: source.start, end: source.end });
      at = source.end;
    }
    parts.push(Uint8Array.prototype.slice.call(body, at, end));
    this.#parts = parts;
    this.textBytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.ranges = ranges;
  }

  /**
   * True = bytes `begin` to `end` differ from the template in the elements of its arrays only, and `ranges` tells where these are.
   * False says nothing: arrays of strings and broken ones never match, so that `parseInferHead` looks at them.
   */
  match(body: Buffer, begin: number, end: number): boolean {
    const parts = this.#parts;
    let at = begin;
    for (let nth = 0; nth < parts.length; nth++) {
      const part = parts[nth]!;
      if (end - at < part.length || !isAt(part, body, at)) return false;
      at += part.length;
      if (nth === parts.length - 1) break;
      const range = this.ranges[nth]!;
      range.start = at;
      at = skipNumbers(body, at, end);
      if (at < 0) return false;
      range.end = at;
    }
    return at === end;
  }
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
