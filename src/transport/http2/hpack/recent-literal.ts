import { FIELD_OVERHEAD_BYTES, FieldKind, kindOfField, type TableField } from './field.js';

/** Longer values, as they are encoded, are read each time. */
const OCTETS_MAX = 64;

/**
 * The field of one name that a client sent last without a place in the table. Some never give one to `:path` and `content-length` (those
 * on nghttp2, as Envoy), and send the same ones with every request: comparing octets costs a tenth of decoding them.
 */
export class RecentLiteral {
  readonly name: string;
  value = '';
  kind: FieldKind = FieldKind.OTHER;
  /** As RFC 7541, 4.1 counts it. */
  bytes = 0;
  /** Of the encoded value; -1 = it is not kept. */
  length = -1;
  readonly #named: TableField;
  readonly #octets = new Uint8Array(OCTETS_MAX);

  /** @param named the entry of the static table that the literals name */
  constructor(named: TableField) {
    this.#named = named;
    this.name = named.name;
  }

  /** The value that begins at `start` is the same. */
  isAt(block: Uint8Array, start: number, end: number): boolean {
    if (this.length < 0 || this.length > end - start) return false;
    // The first octet says how long the value is.
    for (let nth = 0; nth < this.length; nth++) if (this.#octets[nth] !== block[start + nth]) return false;
    return true;
  }

  /** @param valueBytes also where the value was too long to be kept */
  become(block: Uint8Array, start: number, end: number, value: string, valueBytes: number): void {
    this.value = value;
    this.kind = kindOfField(this.#named.nameKind, value);
    this.bytes = this.#named.nameBytes + valueBytes + FIELD_OVERHEAD_BYTES;
    this.length = end - start > OCTETS_MAX ? -1 : end - start;
    for (let nth = 0; nth < this.length; nth++) this.#octets[nth] = block[start + nth]!;
  }
}
