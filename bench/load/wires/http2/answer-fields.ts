import type { FieldSink } from '../../../../src/transport/http2/hpack/decoder.js';
import { HpackDecoder } from '../../../../src/transport/http2/hpack/decoder.js';

/** Of a field section of an answer, what matters to a call of gRPC. */
export interface AnswerFields {
  /** -1 = not said. */
  readonly httpStatus: number;
  readonly grpcStatus: number;
  /** As it came: percent-encoded. */
  readonly grpcMessage: string;
}

const LIST_BYTES_MAX = 64 * 1024;

class Fields implements AnswerFields, FieldSink {
  httpStatus = -1;
  grpcStatus = -1;
  grpcMessage = '';

  field(name: string, value: string): void {
    if (name === ':status') this.httpStatus = Number(value);
    else if (name === 'grpc-status') this.grpcStatus = Number(value);
    else if (name === 'grpc-message') this.grpcMessage = value;
  }
}

interface Remembered {
  readonly block: Buffer;
  readonly fields: AnswerFields;
}

/** The head and the trailers of good answers. */
const REMEMBERED_MAX = 2;

/** Reads the field sections of one connection, in their order. Those that come again are read once, as long as the header table stays. */
export class FieldSectionReader {
  readonly #decoder = new HpackDecoder(LIST_BYTES_MAX);
  readonly #remembered: Remembered[] = [];
  #next = 0;

  read(bytes: Buffer, start: number, end: number): AnswerFields {
    for (const { block, fields } of this.#remembered) if (isSame(block, bytes, start, end)) return fields;
    const fields = new Fields();
    this.#decoder.decode(bytes, start, end, fields);
    if (mayChangeTable(bytes, start, end)) this.#forget();
    else this.#remember({ block: Buffer.from(bytes.subarray(start, end)), fields });
    return fields;
  }

  #forget(): void {
    this.#remembered.length = 0;
    this.#next = 0;
  }

  #remember(section: Remembered): void {
    this.#remembered[this.#next] = section;
    this.#next = (this.#next + 1) % REMEMBERED_MAX;
  }
}

function isSame(block: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== block.length) return false;
  for (let index = 0; index < block.length; index++) if (bytes[start + index] !== block[index]) return false;
  return true;
}

/** RFC 7541: fields for the table, or its size. `true` where finding out is too long a story. */
function mayChangeTable(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const octet = bytes[at++]!;
    if (octet === 0xff) return true;
    if (octet >= 0x80) continue;
    if (octet >= 0x20) return true;
    const nameIndex = octet & 0x0f;
    if (nameIndex === 0x0f && bytes[at++]! >= 0x80) return true;
    at = afterStrings(bytes, at, nameIndex === 0 ? 2 : 1);
  }
  return at !== end;
}

/** 5.2; infinite for strings of 127 octets and more. */
function afterStrings(bytes: Buffer, at: number, count: number): number {
  let next = at;
  for (let nth = 0; nth < count; nth++) {
    const length = bytes[next]! & 0x7f;
    if (!(length < 0x7f)) return Number.POSITIVE_INFINITY;
    next += 1 + length;
  }
  return next;
}
