import { ConnectionError } from '../errors.js';
import { ErrorCode, HEADER_TABLE_BYTES_INITIAL } from '../wire.js';
import { DynamicTable } from './dynamic-table.js';
import { FIELD_OVERHEAD_BYTES, type FieldKind, kindOfField, TableField } from './field.js';
import { decodeHuffman } from './huffman.js';
import { RECENT_OCTETS_MAX, RecentLiteral } from './recent-literal.js';
import { staticFields } from './static-table.js';

/** Takes the fields of one block in order. */
export interface FieldSink {
  field(name: string, value: string, kind: FieldKind): void;
}

/** 5.1: so many octets may follow a full prefix. 28 bits are more than any length or index we take. */
const INTEGER_OCTETS_MAX = 4;

const nothing = Buffer.alloc(0);

const STATIC_LENGTH = staticFields.length;

/** A Huffman code has at least five bits. */
const HUFFMAN_EXPANSION_MAX = 8 / 5;

/**
 * The decoding side of HPACK (RFC 7541) for one connection. Blocks must come whole and in the order of the wire. Throws
 * COMPRESSION_ERROR; the connection is lost then, because the tables of both sides differ.
 */
export class HpackDecoder {
  readonly #table = new DynamicTable(HEADER_TABLE_BYTES_INITIAL);
  readonly #listBytesMax: number;
  /** What the peer may set the table to. */
  #tableBytesMax = HEADER_TABLE_BYTES_INITIAL;
  #needsSizeUpdate = false;

  /** By the index of their name in the static table. */
  readonly #recent: RecentLiteral[] = [];
  #scratch: Buffer = nothing;
  #block: Buffer = nothing;
  #at = 0;
  #end = 0;
  /** Of the string read last; it counts also where the text is not kept. */
  #stringBytes = 0;

  /** @param listBytesMax text longer than this is counted but never made a string; at least the size of the table */
  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  /** Our SETTINGS_HEADER_TABLE_SIZE, once the peer acknowledged it: a smaller table must be confirmed first (RFC 9113, 4.3.1). */
  limitTable(bytes: number): void {
    this.#needsSizeUpdate ||= bytes < this.#table.bytesMax;
    this.#tableBytesMax = bytes;
  }

  /**
   * Hands the fields of `block[start, end)` to `sink`. The result is the size of the whole list (RFC 9113, 6.5.2); from the field
   * on that makes it more than `listBytesMax`, fields are counted and kept in the table but not handed on.
   */
  decode(block: Buffer, start: number, end: number, sink: FieldSink): number {
    this.#block = block;
    this.#at = start;
    this.#end = end;
    this.#sizeUpdates();
    let listBytes = 0;
    while (this.#at < this.#end) listBytes += this.#field(sink, this.#listBytesMax - listBytes);
    // A long one is not held until the next comes.
    this.#block = nothing;
    return listBytes;
  }

  /** 4.2, 6.3: only at the start of a block. */
  #sizeUpdates(): void {
    while (this.#at < this.#end && (this.#block[this.#at]! & 0xe0) === 0x20) {
      const bytes = this.#integer(0x1f);
      if (bytes > this.#tableBytesMax) {
        throw malformed(`a header table of at most ${this.#tableBytesMax} bytes was offered, ${bytes} are asked for`);
      }
      this.#table.resize(bytes);
      this.#needsSizeUpdate = false;
    }
    if (this.#needsSizeUpdate) throw malformed('expected a table size update: the header table was made smaller');
  }

  #field(sink: FieldSink, room: number): number {
    const octet = this.#block[this.#at]!;
    if ((octet & 0x80) !== 0) return this.#indexed(sink, room);
    if ((octet & 0x40) !== 0) return this.#literal(this.#integer(0x3f), true, sink, room);
    if ((octet & 0x20) !== 0) throw malformed('a table size update stands behind a field of its block');
    const index = this.#integer(0x0f);
    // 6.2.3: nothing is kept of what is never to be indexed.
    const isRecent = (octet & 0x10) === 0 && index >= 1 && index <= STATIC_LENGTH;
    return isRecent ? this.#recentLiteral(index, sink, room) : this.#literal(index, false, sink, room);
  }

  /** 6.1. */
  #indexed(sink: FieldSink, room: number): number {
    const field = this.#lookUp(this.#integer(0x7f));
    if (field.bytes <= room) sink.field(field.name, field.value, field.kind);
    return field.bytes;
  }

  /** 6.2.2. */
  #recentLiteral(index: number, sink: FieldSink, room: number): number {
    this.#recent[index] ??= new RecentLiteral(staticFields[index - 1]!);
    const field = this.#recent[index];
    const start = this.#at;
    if (field.isAt(this.#block, start, this.#end)) this.#at += field.length;
    else {
      const value = this.#string();
      if (this.#at - start > RECENT_OCTETS_MAX) return this.#unkept(staticFields[index - 1]!, value, sink, room);
      field.become(this.#block, start, this.#at, value);
    }
    if (field.bytes <= room) sink.field(field.name, field.value, field.kind);
    return field.bytes;
  }

  /** 6.2. */
  #literal(index: number, isIndexed: boolean, sink: FieldSink, room: number): number {
    const named = index === 0 ? this.#newName() : this.#lookUp(index);
    const value = this.#string();
    if (!isIndexed) return this.#unkept(named, value, sink, room);
    const field = new TableField(named.name, value, named.nameBytes, this.#stringBytes);
    this.#table.add(field);
    if (field.bytes <= room) sink.field(field.name, value, field.kind);
    return field.bytes;
  }

  /** A field whose value, the string read last, nobody asks for again. */
  #unkept(named: TableField, value: string, sink: FieldSink, room: number): number {
    const bytes = named.nameBytes + this.#stringBytes + FIELD_OVERHEAD_BYTES;
    if (bytes <= room) sink.field(named.name, value, kindOfField(named.nameKind, value));
    return bytes;
  }

  #newName(): TableField {
    const name = this.#string();
    return new TableField(name, '', this.#stringBytes);
  }

  /** 2.3.3. */
  #lookUp(index: number): TableField {
    if (index >= 1 && index <= STATIC_LENGTH) return staticFields[index - 1]!;
    const age = index - STATIC_LENGTH - 1;
    if (age >= 0 && age < this.#table.length) return this.#table.at(age);
    throw malformed(`expected a header index from 1 to ${STATIC_LENGTH + this.#table.length}, found ${index}`);
  }

  /** 5.1; `mask` is the full prefix. */
  #integer(mask: number): number {
    if (this.#at >= this.#end) throw truncated();
    const prefix = this.#block[this.#at++]! & mask;
    return prefix < mask ? prefix : this.#longInteger(mask);
  }

  #longInteger(prefix: number): number {
    let value = prefix;
    for (let octets = 0; octets < INTEGER_OCTETS_MAX; octets++) {
      if (this.#at >= this.#end) throw truncated();
      const octet = this.#block[this.#at++]!;
      value += (octet & 0x7f) << (7 * octets);
      if (octet < 0x80) return value;
    }
    throw malformed(`an integer has more than ${INTEGER_OCTETS_MAX} octets behind its prefix`);
  }

  /** 5.2. Text over the limit of a list comes back as ''. */
  #string(): string {
    if (this.#at >= this.#end) throw truncated();
    const isHuffman = this.#block[this.#at]! >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    if (length > this.#end - start) throw truncated();
    this.#at += length;
    return isHuffman ? this.#huffmanText(start, this.#at) : this.#plainText(start, this.#at);
  }

  #plainText(start: number, end: number): string {
    this.#stringBytes = end - start;
    return this.#stringBytes > this.#listBytesMax ? '' : this.#block.toString('latin1', start, end);
  }

  #huffmanText(start: number, end: number): string {
    const length = decodeHuffman(this.#block, start, end, this.#scratchOf((end - start) * HUFFMAN_EXPANSION_MAX));
    if (length < 0) throw malformed('a string is not Huffman code, or its padding is wrong');
    this.#stringBytes = length;
    return length > this.#listBytesMax ? '' : this.#scratch.toString('latin1', 0, length);
  }

  #scratchOf(bytes: number): Buffer {
    const needed = Math.min(Math.ceil(bytes), this.#listBytesMax);
    if (this.#scratch.length < needed) this.#scratch = Buffer.allocUnsafeSlow(Math.min(2 * needed, this.#listBytesMax));
    return this.#scratch;
  }
}

function malformed(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, message);
}

function truncated(): ConnectionError {
  return malformed('a header block ends within a field');
}
