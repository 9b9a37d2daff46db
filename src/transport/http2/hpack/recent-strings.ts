/** Longer ones are not kept. */
const OCTETS_MAX = 64;

/** Strings of one length, as they are encoded, share a slot with those that are longer by a multiple of this. */
const SLOTS = 8;

/** A string and what it was read from. */
class RecentString {
  readonly #octets = new Uint8Array(OCTETS_MAX);
  #length = -1;
  #isHuffman = false;
  text = '';
  /** Of the text. */
  bytes = 0;

  is(block: Uint8Array, start: number, end: number, isHuffman: boolean): boolean {
    if (this.#length !== end - start || this.#isHuffman !== isHuffman) return false;
    for (let nth = 0; nth < this.#length; nth++) if (this.#octets[nth] !== block[start + nth]) return false;
    return true;
  }

  become(block: Uint8Array, start: number, end: number, isHuffman: boolean): void {
    this.#length = end - start;
    this.#isHuffman = isHuffman;
    for (let nth = 0; nth < this.#length; nth++) this.#octets[nth] = block[start + nth]!;
  }
}

/**
 * Short strings that a connection sent lately. Some clients never put `:path` and `content-length` into the table (those on nghttp2,
 * as Envoy), and send the same ones with every request: comparing octets costs a tenth of decoding them.
 */
export class RecentStrings {
  readonly #slots: readonly RecentString[] = Array.from({ length: SLOTS }, () => new RecentString());

  /** Null = it is not one of them. */
  find(block: Uint8Array, start: number, end: number, isHuffman: boolean): RecentString | null {
    const slot = this.#slots[(end - start) % SLOTS]!;
    return slot.is(block, start, end, isHuffman) ? slot : null;
  }

  /** @param bytes of `text` */
  keep(block: Uint8Array, start: number, end: number, isHuffman: boolean, text: string, bytes: number): void {
    if (end - start > OCTETS_MAX) return;
    const slot = this.#slots[(end - start) % SLOTS]!;
    slot.become(block, start, end, isHuffman);
    slot.text = text;
    slot.bytes = bytes;
  }
}
