import { invalid } from '../../types/errors.js';
import { maskedCrc32c } from './checksum.js';

/** Where a block lies in the file, without its trailer. */
interface Handle {
  readonly offset: number;
  readonly size: number;
}

const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
/** A block says how long it is when it is unpacked: that is bounded. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

/**
 * Keys and values of a sorted table, as LevelDB writes it and TensorFlow its checkpoints' index (tensorflow/core/lib/io/format.cc).
 * Throws INVALID_ARGUMENT where the bytes are none.
 */
export function* tableEntries(bytes: Uint8Array): Generator<readonly [key: string, value: Uint8Array]> {
  for (const [, handle] of blockEntries(block(bytes, indexHandle(bytes)))) {
    yield* blockEntries(block(bytes, new Cursor(handle).handle()));
  }
}

function indexHandle(bytes: Uint8Array): Handle {
  if (bytes.length < FOOTER_BYTES) throw broken('it is too short');
  const footer = bytes.subarray(bytes.length - FOOTER_BYTES);
  const magic = new DataView(footer.buffer, footer.byteOffset).getBigUint64(FOOTER_BYTES - 8, true);
  if (magic !== MAGIC) throw broken('it does not end as a table does');
  const cursor = new Cursor(footer);
  cursor.handle();
  return cursor.handle();
}

function block(bytes: Uint8Array, { offset, size }: Handle): Uint8Array {
  // Behind it: how it is packed, and a checksum.
  if (offset + size + 5 > bytes.length) throw broken('a block ends behind the file');
  const content = bytes.subarray(offset, offset + size);
  const packing = bytes[offset + size];
  const expected = new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset + size + 1, true);
  const found = maskedCrc32c(bytes.subarray(offset, offset + size + 1));
  if (found !== expected)
    throw broken(`the block at byte ${offset} is damaged: its checksum is ${found}, and ${expected} was written down`);
  if (packing === 0) return content;
  if (packing === 1) return unpack(content);
  throw broken(`a block is packed in an unknown way (${packing})`);
}

/** Keys share their beginnings with those before them; behind the entries is where keys are whole. */
function* blockEntries(content: Uint8Array): Generator<readonly [key: string, value: Uint8Array]> {
  if (content.length < 4) throw broken('a block is too short');
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const end = content.length - 4 - 4 * view.getUint32(content.length - 4, true);
  if (end < 0) throw broken('a block is too short');
  const cursor = new Cursor(content.subarray(0, end));
  let key = Buffer.alloc(0);
  while (!cursor.isAtEnd) {
    const [shared, own, length] = [cursor.varint(), cursor.varint(), cursor.varint()];
    if (shared > key.length) throw broken('a key has no beginning');
    key = Buffer.concat([key.subarray(0, shared), cursor.bytes(own)]);
    yield [key.toString('utf8'), cursor.bytes(length)];
  }
}

/** Reads numbers and bytes, one behind the other. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw broken('a number does not end');
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw broken('a text ends behind its block');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() };
  }
}

/** Snappy's format: literals, and copies of what is there already (google/snappy, format_description.txt). */
function unpack(packed: Uint8Array): Uint8Array {
  const cursor = new Cursor(packed);
  const length = cursor.varint();
  if (length > MAX_BLOCK_BYTES) throw broken(`a block of ${length} bytes`);
  const out = new Uint8Array(length);
  let at = 0;
  while (!cursor.isAtEnd) {
    const tag = cursor.bytes(1)[0]!;
    const kind = tag & 3;
    const [count, distance] = kind === 0 ? [literalLength(cursor, tag >> 2), 0] : copyOf(cursor, tag, kind);
    if (count > length - at || (kind !== 0 && (distance === 0 || distance > at)))
      throw broken('a block is packed wrongly');
    if (kind === 0) out.set(cursor.bytes(count), at);
    else for (let i = 0; i < count; i++) out[at + i] = out[at + i - distance]!;
    at += count;
  }
  if (at !== length) throw broken('a block is packed wrongly');
  return out;
}

function literalLength(cursor: Cursor, code: number): number {
  return code < 60 ? code + 1 : littleEndian(cursor.bytes(code - 59)) + 1;
}

function copyOf(cursor: Cursor, tag: number, kind: number): [count: number, distance: number] {
  if (kind === 1) return [((tag >> 2) & 7) + 4, (tag >> 5) * 256 + littleEndian(cursor.bytes(1))];
  return [(tag >> 2) + 1, littleEndian(cursor.bytes(kind === 2 ? 2 : 4))];
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function broken(what: string) {
  return invalid(`not the index of a TensorFlow checkpoint: ${what}`);
}
