import { ID_DIGITS } from '../encode/prepared-request.js';
import { BadAnswer } from './failures.js';
import { idAt } from './slot-ids.js';
import type { Failure } from './wire.js';

/** How our server begins each answer, and how it goes on where it is an error. */
const ID_MEMBER = Buffer.from('{"id":"');
const ERROR_MEMBER = Buffer.from('","error":');
const NOT_FINAL = Buffer.from('"triton_final_response":false');
const NO_OUTPUTS = Buffer.from('"outputs":[]');

/** Of the length of the JSON in a binary message. */
const LENGTH_BYTES = 4;

/** What a message of `conch.v1` says about itself (docs/websocket.md); one object reads any number of them. */
export class WsAnswer {
  /** -1 = none, or none of ours. */
  id = -1;
  failure: Failure | null = null;
  /** Where the JSON begins, and its size; the tensors are behind it. -1 = there are none. */
  start = 0;
  jsonBytes = -1;

  read(isText: boolean, bytes: Buffer, start: number, end: number): void {
    this.failure = null;
    this.start = isText ? start : start + LENGTH_BYTES;
    this.jsonBytes = isText ? -1 : headBytes(bytes, start, end);
    const jsonEnd = this.#jsonEnd(end);
    const hasId = isAt(ID_MEMBER, bytes, this.start, jsonEnd);
    const idStart = this.start + ID_MEMBER.length;
    this.id = hasId ? idAt(bytes, idStart) : -1;
    if (this.id < 0) this.#parse(bytes, jsonEnd);
    else if (isAt(ERROR_MEMBER, bytes, idStart + ID_DIGITS, jsonEnd)) this.#parse(bytes, jsonEnd);
  }

  /** Of a decoupled model: more follow as long as it says so. */
  isFinal(bytes: Buffer, end: number): boolean {
    return !bytes.subarray(this.start, this.#jsonEnd(end)).includes(NOT_FINAL);
  }

  isEmpty(bytes: Buffer, end: number): boolean {
    return bytes.subarray(this.start, this.#jsonEnd(end)).includes(NO_OUTPUTS);
  }

  #jsonEnd(end: number): number {
    return this.jsonBytes < 0 ? end : this.start + this.jsonBytes;
  }

  /** Errors, and JSON that is written in another way than our server's. */
  #parse(bytes: Buffer, jsonEnd: number): void {
    const { id, error, status } = parsedObject(bytes.toString('utf8', this.start, jsonEnd));
    const isOurs = typeof id === 'string' && id.length === ID_DIGITS;
    this.id = isOurs ? idAt(Buffer.from(id, 'latin1'), 0) : -1;
    if (typeof error === 'string') this.failure = { kind: `HTTP ${Number(status)}`, message: error };
  }
}

function parsedObject(json: string): { readonly id?: unknown; readonly error?: unknown; readonly status?: unknown } {
  try {
    return Object(JSON.parse(json)) as object;
  } catch {
    throw new BadAnswer(`expected a message that is JSON, found '${json.slice(0, 100)}'`);
  }
}

function headBytes(bytes: Buffer, start: number, end: number): number {
  const length = end - start < LENGTH_BYTES ? Number.POSITIVE_INFINITY : bytes.readUInt32LE(start);
  if (length <= end - start - LENGTH_BYTES) return length;
  throw new BadAnswer(`a message of ${end - start} bytes whose JSON is longer`);
}

function isAt(text: Buffer, bytes: Buffer, at: number, end: number): boolean {
  if (end - at < text.length) return false;
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return false;
  return true;
}
