import { isUtf8 } from 'node:buffer';
import type { SequenceId } from '../../types/infer.js';
import type { WireRange } from './infer-message.js';

const PARAMETERS = 0x22;
/** The begin of the map's entry: its key, and the tag of its value. */
const KEY = Buffer.from('\x0a\x0bsequence_id\x12', 'latin1');
const INT64 = 0x10;
const STRING = 0x1a;

/**
 * The entry of `parameters` that is a request's sequence id, of less than 128 bytes:
 *
 *     | 22 | length | 0a 0b "sequence_id" 12 | length | 10 varint, or 1a length text |
 *
 * Requests of a model differ in it where their sequences do.
 */
export class SequenceIdField {
  /** Of the last one that matched. */
  value: SequenceId = 0;
  /** Tag of its value: a model may take numbers or texts. */
  readonly #kind: number;

  constructor(kind: number) {
    this.#kind = kind;
  }

  /** Behind the entry at `at`; -1 = there is another field, or an id of the other kind, or none. */
  match(message: Buffer, at: number): number {
    const end = endOf(message, at);
    if (end < 0 || message[at + 17] !== this.#kind) return -1;
    const isRead =
      this.#kind === INT64 ? this.#readNumber(message, at + 18, end) : this.#readText(message, at + 18, end);
    return isRead ? end : -1;
  }

  #readNumber(message: Buffer, begin: number, end: number): boolean {
    if (end - begin > 10 || message[end - 1]! >= 0x80) return false;
    let value = 0;
    let unit = 1;
    for (let at = begin; at < end; at++) {
      const byte = message[at]!;
      if (byte < 0x80 !== (at === end - 1)) return false;
      value += (byte & 0x7f) * unit;
      unit *= 128;
    }
    this.value = value <= Number.MAX_SAFE_INTEGER ? value : readLarge(message, begin, end);
    return value > 0;
  }

  #readText(message: Buffer, at: number, end: number): boolean {
    if (at + 1 + message[at]! !== end || end === at + 1) return false;
    if (!isUtf8(message.subarray(at + 1, end))) return false;
    this.value = message.toString('utf8', at + 1, end);
    return true;
  }
}

/** The entry among the fields from `begin` to `end`, and what finds others like it; null = there is none, or one of another form. */
export function findSequenceId(
  message: Buffer,
  begin: number,
  end: number,
): { readonly range: WireRange; readonly field: SequenceIdField } | null {
  for (let at = begin; at < end; ) {
    const behind = endOf(message, at);
    if (behind >= 0) {
      const field = new SequenceIdField(message[at + 17]!);
      const isKnown = message[at + 17] === INT64 || message[at + 17] === STRING;
      return isKnown && field.match(message, at) === behind ? { range: { begin: at, end: behind }, field } : null;
    }
    // All fields here are length-delimited and have small numbers.
    const length = message[at + 1]!;
    if (message[at]! > 0x7f || (message[at]! & 7) !== 2) return null;
    at += length < 0x80 ? 2 + length : 3 + (length & 0x7f) + 128 * message[at + 2]!;
  }
  return null;
}

/** Behind the entry at `at`; -1 = it is no sequence id. */
function endOf(message: Buffer, at: number): number {
  if (message[at] !== PARAMETERS) return -1;
  const length = message[at + 1]!;
  const end = at + 2 + length;
  if (length >= 0x80 || end > message.length || at + 17 + message[at + 16]! !== end) return -1;
  for (let index = 0; index < KEY.length; index++) if (message[at + 2 + index] !== KEY[index]) return -1;
  return end;
}

function readLarge(message: Buffer, begin: number, end: number): bigint {
  let value = 0n;
  for (let at = begin; at < end; at++) value |= BigInt(message[at]! & 0x7f) << BigInt((at - begin) * 7);
  return BigInt.asUintN(64, value);
}
