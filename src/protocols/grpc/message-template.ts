import { isUtf8 } from 'node:buffer';
import { ID, type WireInferRequest } from './infer-message.js';
import { findSequenceId, type SequenceIdField } from './sequence-id-field.js';

/** A loop is faster than a native call up to here. */
const NATIVE_COMPARE_BYTES = 96;

/**
 * The bytes of a ModelInferRequest before its raw entries, but for its id and the id of its sequence:
 *
 *     | before: model name, version | id, or nothing | after: parameters, inputs, outputs | raw entries ...
 *     | before                      | id, or nothing | after | sequence_id | rest         | raw entries ...
 *
 * Requests repeat but for their ids and tensors: one with the same bytes there needs neither be parsed nor be held against its model.
 */
export class MessageTemplate {
  readonly #before: Buffer;
  readonly #after: Buffer;
  /** Behind `after`; null = the request is of no sequence. */
  readonly sequenceId: SequenceIdField | null;
  readonly #rest: Buffer;
  /** Where the id of the message lies that matched last; equal = it has none. */
  idBegin = 0;
  idEnd = 0;

  /** Of a message that `parseInferRequest` calls ordered; its bytes are copied. */
  constructor(bytes: Buffer, { idField, rawBegin }: WireInferRequest) {
    const idBegin = idField.begin === idField.end ? placeOfId(bytes, rawBegin) : idField.begin;
    const idEnd = idField.begin === idField.end ? idBegin : idField.end;
    this.#before = Buffer.from(bytes.subarray(0, idBegin));
    const found = findSequenceId(bytes, idEnd, rawBegin);
    this.sequenceId = found?.field ?? null;
    this.#after = Buffer.from(bytes.subarray(idEnd, found?.range.begin ?? rawBegin));
    this.#rest = Buffer.from(bytes.subarray(found?.range.end ?? rawBegin, rawBegin));
  }

  get bytes(): number {
    return this.#before.length + this.#after.length + this.#rest.length;
  }

  /** Where the raw entries of `message` begin, or would; -1 = it is another message. */
  match(message: Buffer): number {
    if (!isAt(this.#before, message, 0)) return -1;
    let at = this.#before.length;
    this.idBegin = at;
    this.idEnd = at;
    if (message[at] === ID) at = this.#matchId(message, at + 1);
    if (at < 0 || !isAt(this.#after, message, at)) return -1;
    at += this.#after.length;
    if (this.sequenceId === null) return at;
    at = this.sequenceId.match(message, at);
    return at >= 0 && isAt(this.#rest, message, at) ? at + this.#rest.length : -1;
  }

  /** Behind an id of less than 128 bytes, whose tag lies before `at`; -1 = it is longer, or no text. */
  #matchId(message: Buffer, at: number): number {
    const length = message[at] ?? 0x80;
    const begin = at + 1;
    const end = begin + length;
    if (length >= 0x80 || end > message.length) return -1;
    for (let index = begin; index < end; index++) {
      if (message[index]! >= 0x80) return isUtf8(message.subarray(begin, end)) ? this.#setId(begin, end) : -1;
    }
    return this.#setId(begin, end);
  }

  #setId(begin: number, end: number): number {
    this.idBegin = begin;
    this.idEnd = end;
    return end;
  }
}

/** Where an id would lie in a message that has none and whose fields are in order: behind the fields 1 and 2. */
function placeOfId(bytes: Buffer, end: number): number {
  let at = 0;
  while (at < end && (bytes[at] === 0x0a || bytes[at] === 0x12) && bytes[at + 1]! < 0x80) at += 2 + bytes[at + 1]!;
  return at;
}

function isAt(part: Buffer, message: Buffer, at: number): boolean {
  if (message.length - at < part.length) return false;
  if (part.length >= NATIVE_COMPARE_BYTES) return message.compare(part, 0, part.length, at, at + part.length) === 0;
  for (let index = 0; index < part.length; index++) if (part[index] !== message[at + index]) return false;
  return true;
}
