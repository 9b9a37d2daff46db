import { HEADER_TABLE_BYTES_INITIAL } from '../wire.js';
import { encodeField, encodeIncremental, encodeIndex, type Field, type HeaderBlock } from './encoder.js';
import { FIELD_OVERHEAD_BYTES } from './field.js';
import { staticFields, staticIndex } from './static-table.js';

/** RFC 7541, 6.3: the table is to have no room. */
const TABLE_SIZE_ZERO = Buffer.of(0x20);

/**
 * The encoding side of HPACK for one connection. Fields of blocks that are sent often are put into the peer's table, and are one octet
 * from then on, which it need not decode. They are few, so none is ever evicted: where there is no room for one, it stays a literal.
 * Blocks must go to the wire whole, each, and in the order in which they were encoded.
 */
export class TableEncoder {
  /** In the peer's table, oldest first. */
  #fields: Field[] = [];
  #bytesLeft = HEADER_TABLE_BYTES_INITIAL;
  /** Frequent blocks as they are until a field is added. */
  readonly #encoded = new Map<HeaderBlock, Buffer>();
  #owesSizeUpdate = false;

  /** The peer made its table smaller, which the next block must confirm (RFC 9113, 4.3.1): it is not used any more. */
  emptyTable(): void {
    this.#fields = [];
    this.#bytesLeft = 0;
    this.#encoded.clear();
    this.#owesSizeUpdate = true;
  }

  encode(block: HeaderBlock): Buffer {
    const bytes = block.frequent.length === 0 ? block.bytes : (this.#encoded.get(block) ?? this.#encode(block));
    if (!this.#owesSizeUpdate) return bytes;
    this.#owesSizeUpdate = false;
    return Buffer.concat([TABLE_SIZE_ZERO, bytes]);
  }

  #encode(block: HeaderBlock): Buffer {
    const { length } = this.#fields;
    const bytes = Buffer.concat(block.frequent.map((field) => this.#encodeField(field)));
    if (this.#fields.length === length) this.#encoded.set(block, bytes);
    else this.#encoded.clear();
    return bytes;
  }

  /** 2.3.3: the field added last comes first. */
  #encodeField(field: Field): Buffer {
    const [name, value] = field;
    const nth = this.#fields.findIndex((known) => known[0] === name && known[1] === value);
    if (nth >= 0) return encodeIndex(staticFields.length + this.#fields.length - nth);
    const bytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (bytes > this.#bytesLeft || staticIndex(name, value) > 0) return encodeField(field);
    this.#fields.push(field);
    this.#bytesLeft -= bytes;
    return encodeIncremental(field);
  }
}
