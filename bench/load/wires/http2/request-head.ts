import { encodeFields } from '../../../../src/transport/http2/hpack/encoder.js';
import { FIELD_OVERHEAD_BYTES } from '../../../../src/transport/http2/hpack/field.js';
import { FRAME_BYTES_MIN, HEADER_TABLE_BYTES_INITIAL } from '../../../../src/transport/http2/wire.js';

/** RFC 7541: 6.1, 6.2.1, 6.3. */
const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const SIZE_ZERO = Buffer.of(0x20);
/** The prefix of 6.2.2 when it is full. */
const LONG_NAME_INDEX = 0x0f;
const DYNAMIC_INDEX_MIN = 62;
/** 6.1: an index of one octet. */
const INDEX_MAX = 126;

/**
 * The field section that all requests of a connection have. The first one puts it into the server's header table, the others refer to
 * it there, as clients of gRPC do; a server that wants a small table gets literals.
 */
export class RequestHead {
  readonly #literal: Buffer;
  readonly #first: Buffer;
  readonly #indexed: Buffer;
  #state: 'first' | 'indexed' | 'literal';
  #mustShrink = false;

  /** @param fields names in lower case */
  constructor(fields: readonly (readonly [name: string, value: string])[]) {
    const encoded = fields.map((field) => encodeFields([field]).bytes);
    const added = fields.filter((_, index) => encoded[index]![0]! < INDEXED);
    let newer = added.length;
    const indexOf = () => Buffer.of(INDEXED | (DYNAMIC_INDEX_MIN + --newer));
    this.#literal = Buffer.concat(encoded);
    this.#first = Buffer.concat(encoded.map(withIndexing));
    this.#indexed = Buffer.concat(encoded.map((bytes) => (bytes[0]! < INDEXED ? indexOf() : bytes)));
    this.#state = fitsTable(added) ? 'first' : 'literal';
    if (this.#literal.length >= FRAME_BYTES_MIN) throw new Error('the headers of a request have more than 16 KiB');
  }

  /** What the server lets its header table be. */
  limitTable(bytes: number): void {
    if (bytes >= HEADER_TABLE_BYTES_INITIAL) return;
    this.#state = 'literal';
    this.#mustShrink = true;
  }

  /** Of the next request. */
  next(): Buffer {
    if (this.#state === 'indexed') return this.#indexed;
    if (this.#state === 'first') {
      this.#state = 'indexed';
      return this.#first;
    }
    if (!this.#mustShrink) return this.#literal;
    this.#mustShrink = false;
    return Buffer.concat([SIZE_ZERO, this.#literal]);
  }
}

function fitsTable(fields: readonly (readonly [string, string])[]): boolean {
  const bytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length + FIELD_OVERHEAD_BYTES, 0);
  return bytes <= HEADER_TABLE_BYTES_INITIAL && fields.length <= INDEX_MAX - DYNAMIC_INDEX_MIN;
}

/** The same literal for the table: an index of the static table fits the longer prefix. */
function withIndexing(field: Buffer): Buffer {
  const first = field[0]!;
  if (first >= INDEXED) return field;
  const isLong = first === LONG_NAME_INDEX;
  const nameIndex = isLong ? LONG_NAME_INDEX + field[1]! : first;
  return Buffer.concat([Buffer.of(WITH_INDEXING | nameIndex), field.subarray(isLong ? 2 : 1)]);
}
