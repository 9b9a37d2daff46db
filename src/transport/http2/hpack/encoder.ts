import { encodeHuffman, huffmanLength } from './huffman.js';
import { staticIndex, staticNameIndex } from './static-table.js';

/**
 * A field section ready for the wire, for any connection and any number of times. It refers to the static table only, so it
 * holds whatever the peer does to its header table. Made by `encodeFields`.
 */
export interface HeaderBlock {
  readonly bytes: Buffer;
}

/** 6.1, 6.2.2, 5.2: the bits before an integer, in their place. */
const INDEXED = 0x80;
const WITHOUT_INDEXING = 0x00;
const HUFFMAN = 0x80;
const PLAIN = 0x00;

/** Makes a block of names and values; names in lower case, text as octets (latin1). */
export function encodeFields(fields: Iterable<readonly [name: string, value: string]>): HeaderBlock {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) addField(parts, name, value);
  return { bytes: Buffer.concat(parts) };
}

function addField(parts: Buffer[], name: string, value: string): void {
  const index = staticIndex(name, value);
  if (index > 0) {
    parts.push(encodeInteger(INDEXED, 0x7f, index));
    return;
  }
  const nameIndex = staticNameIndex(name);
  parts.push(encodeInteger(WITHOUT_INDEXING, 0x0f, nameIndex));
  if (nameIndex === 0) addString(parts, name);
  addString(parts, value);
}

function addString(parts: Buffer[], text: string): void {
  const plain = Buffer.from(text, 'latin1');
  const isShorter = huffmanLength(plain) < plain.length;
  const octets = isShorter ? encodeHuffman(plain) : plain;
  parts.push(encodeInteger(isShorter ? HUFFMAN : PLAIN, 0x7f, octets.length), octets);
}

/** RFC 7541, 5.1; `mask` is the full prefix. */
export function encodeInteger(pattern: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.of(pattern | value);
  const octets = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push(0x80 | (rest & 0x7f));
  octets.push(rest);
  return Buffer.from(octets);
}
