import { encodeHuffman, huffmanLength } from './huffman.js';
import { staticIndex, staticNameIndex } from './static-table.js';

/** Name in lower case; text as octets (latin1). */
export type Field = readonly [name: string, value: string];

/** A field section ready for the wire, for any connection and any number of times. */
export interface HeaderBlock {
  /** It refers to the static table only, so it holds whatever the peer does to its header table. */
  readonly bytes: Buffer;
  /** Not empty = it is sent so often that its fields are worth a place in that table: see `TableEncoder`. */
  readonly frequent: readonly Field[];
}

/** 6.1, 6.2.2, 6.2.1, 5.2: the bits before an integer, in their place. */
const INDEXED = 0x80;
const WITHOUT_INDEXING = 0x00;
const INCREMENTAL = 0x40;
const HUFFMAN = 0x80;
const PLAIN = 0x00;

/** Longer texts are sent once: coding them costs more than their octets. */
const HUFFMAN_OCTETS_MAX = 256;

export function encodeFields(fields: readonly Field[]): HeaderBlock {
  return { bytes: Buffer.concat(fields.map(encodeField)), frequent: [] };
}

/** Of a block that nearly every answer has. */
export function encodeFrequent(fields: readonly Field[]): HeaderBlock {
  return { ...encodeFields(fields), frequent: fields };
}

/** Leaves the peer's table as it is. */
export function encodeField(field: Field): Buffer {
  const index = staticIndex(...field);
  return index > 0 ? encodeIndex(index) : encodeLiteral(WITHOUT_INDEXING, 0x0f, field);
}

/** The peer puts it into its table. */
export function encodeIncremental(field: Field): Buffer {
  return encodeLiteral(INCREMENTAL, 0x3f, field);
}

export function encodeIndex(index: number): Buffer {
  return encodeInteger(INDEXED, 0x7f, index);
}

function encodeLiteral(pattern: number, mask: number, [name, value]: Field): Buffer {
  const nameIndex = staticNameIndex(name);
  const start = encodeInteger(pattern, mask, nameIndex);
  const named = nameIndex === 0 ? [start, encodeString(name)] : [start];
  return Buffer.concat([...named, encodeString(value)]);
}

function encodeString(text: string): Buffer {
  const plain = Buffer.from(text, 'latin1');
  const isShorter = plain.length <= HUFFMAN_OCTETS_MAX && huffmanLength(plain) < plain.length;
  const octets = isShorter ? encodeHuffman(plain) : plain;
  return Buffer.concat([encodeInteger(isShorter ? HUFFMAN : PLAIN, 0x7f, octets.length), octets]);
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
