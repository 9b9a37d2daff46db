import { FIELD_OVERHEAD_BYTES, FieldKind, kindOfField, type TableField } from './field.js';

/** Of a value as it is encoded. Longer ones are read each time and not kept: there is a place for each name, on each connection. */
export const RECENT_OCTETS_MAX = 64;

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
  /** Of the encoded value; -1 = there is none. */
  length = -1;
  readonly #named: TableField;
  readonly #octets = new Uint8Array(RECENT_OCTETS_MAX);

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

  /** `block[start, end)` is no longer than RECENT_OCTETS_MAX. */
  become(block: Uint8Array, start: number, end: number, value: string): void {
    this.value = value;
    this.kind = kindOfField(this.#named.nameKind, value);
    this.bytes = this.#named.nameBytes + value.length + FIELD_OVERHEAD_BYTES;
    this.length = end - start;
    for (let nth = 0; nth < this.length; nth++) this.#octets[nth] = block[start + nth]!;
  }
}
