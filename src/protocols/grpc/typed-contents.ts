import { copyBytes } from '../../memory/copy.js';
import { type DataType, elementBytes, isDataType } from '../../types/datatype.js';
import { invalid } from '../../types/errors.js';
import type { WireInput, WireRange } from './infer-message.js';
import { FIXED32, FIXED64, LENGTH_DELIMITED, malformed, VARINT, WireReader } from './wire.js';

/** Fields of InferTensorContents by number. */
const BOOL_CONTENTS = 1;
const INT_CONTENTS = 2;
const UINT_CONTENTS = 4;
const FP32_CONTENTS = 6;
const FP64_CONTENTS = 7;
const BYTES_CONTENTS = 8;

const LONGEST_VARINT_BYTES = 10;

/** The datatype that a field is for; narrower integers share one of 32 bits, whose low bytes they are (fact sheet 3.5). */
const datatypeOf: readonly (DataType | '')[] = [
  '',
  'BOOL',
  'INT32',
  'INT64',
  'UINT32',
  'UINT64',
  'FP32',
  'FP64',
  'BYTES',
];
const narrowInts: readonly string[] = ['INT8', 'INT16'];
const narrowUints: readonly string[] = ['UINT8', 'UINT16'];

/** Bytes of the tensor that `contents` of an input stand for. Throws INVALID_ARGUMENT for a list that is not its datatype's. */
export function measureContents(bytes: Buffer, input: WireInput, model: string): number {
  const counts = new Float64Array(datatypeOf.length);
  for (const range of input.contents) countElements(new WireReader(bytes, range.begin, range.end), counts);
  let byteSize = 0;
  for (let field = BOOL_CONTENTS; field <= BYTES_CONTENTS; field++) {
    if (counts[field] === 0) continue;
    if (byteSize > 0) throw unexpected(input, model, ', binary data was already supplied.');
    const datatype = listDataType(field, input.datatype);
    if (datatype !== input.datatype) {
      const shown = isDataType(input.datatype) ? input.datatype : '<invalid>';
      throw unexpected(input, model, ` of type '${shown}', expected datatype '${datatype}'`);
    }
    byteSize = counts[field]! * (field === BYTES_CONTENTS ? 1 : elementBytes[datatype]);
  }
  return byteSize;
}

function listDataType(field: number, wanted: string): DataType {
  const shared =
    (field === INT_CONTENTS && narrowInts.includes(wanted)) ||
    (field === UINT_CONTENTS && narrowUints.includes(wanted));
  return shared ? (wanted as DataType) : (datatypeOf[field] as DataType);
}

function unexpected({ name }: WireInput, model: string, what: string) {
  return invalid(`unexpected explicit tensor data for input tensor '${name}' for model '${model}'${what}`);
}

/** Adds elements to `counts` by field; of bytes_contents what they take with their lengths in front. */
function countElements(reader: WireReader, counts: Float64Array): void {
  while (!reader.isDone) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if ((tag & 7) === elementWireType(field)) {
      counts[field]! += field === BYTES_CONTENTS ? 4 + skipBytes(reader) : 1;
      if (field !== BYTES_CONTENTS) reader.skip(tag & 7);
    } else if ((tag & 7) === LENGTH_DELIMITED && field >= BOOL_CONTENTS && field < BYTES_CONTENTS) {
      const begin = packedBegin(reader);
      counts[field]! += packedCount(reader.bytes, begin, reader.at, field);
    } else {
      reader.skip(tag & 7);
    }
  }
}

/** How one element of a field is written where it is not packed; -1 = there is no such field. */
function elementWireType(field: number): number {
  if (field === BYTES_CONTENTS) return LENGTH_DELIMITED;
  if (field === FP32_CONTENTS) return FIXED32;
  if (field === FP64_CONTENTS) return FIXED64;
  return field >= BOOL_CONTENTS && field < FP32_CONTENTS ? VARINT : -1;
}

function skipBytes(reader: WireReader): number {
  const length = reader.length();
  reader.at += length;
  return length;
}

/** Where packed elements begin; they end where the reader stands. */
function packedBegin(reader: WireReader): number {
  const length = reader.length();
  reader.at += length;
  return reader.at - length;
}

function packedCount(bytes: Buffer, begin: number, end: number, field: number): number {
  if (field >= FP32_CONTENTS) {
    const size = field === FP32_CONTENTS ? 4 : 8;
    if ((end - begin) % size !== 0) throw malformed(`packed numbers of ${size} bytes take ${end - begin} bytes`);
    return (end - begin) / size;
  }
  let count = 0;
  for (let at = begin; at < end; at++) if (bytes[at]! < 0x80) count++;
  if (end > begin && bytes[end - 1]! >= 0x80) throw malformed('a packed varint has no end');
  return count;
}

/** Writes the tensor that `contents` stand for, measured before, to `to` from `begin` on. */
export function writeContents(
  bytes: Buffer,
  contents: readonly WireRange[],
  datatype: DataType,
  to: Uint8Array,
  begin: number,
): void {
  const writer = new ContentsWriter(bytes, datatype, to, begin);
  for (const range of contents) writer.write(new WireReader(bytes, range.begin, range.end));
}

class ContentsWriter {
  readonly #bytes: Buffer;
  readonly #elementBytes: number;
  readonly #isBool: boolean;
  readonly #to: Uint8Array;
  #at: number;

  constructor(bytes: Buffer, datatype: DataType, to: Uint8Array, begin: number) {
    this.#bytes = bytes;
    this.#elementBytes = elementBytes[datatype];
    this.#isBool = datatype === 'BOOL';
    this.#to = to;
    this.#at = begin;
  }

  write(reader: WireReader): void {
    while (!reader.isDone) {
      const tag = reader.tag();
      const field = tag >>> 3;
      if ((tag & 7) === elementWireType(field)) this.#element(reader, field, tag & 7);
      else if ((tag & 7) === LENGTH_DELIMITED && field >= BOOL_CONTENTS && field < BYTES_CONTENTS) {
        const begin = packedBegin(reader);
        if (field >= FP32_CONTENTS) this.#copy(begin, reader.at - begin);
        else this.#varints(begin, reader.at);
      } else reader.skip(tag & 7);
    }
  }

  #element(reader: WireReader, field: number, wireType: number): void {
    const begin = reader.at;
    if (field === BYTES_CONTENTS) {
      const length = skipBytes(reader);
      this.#store(length, 0, 4);
      this.#copy(reader.at - length, length);
      return;
    }
    reader.skip(wireType);
    if (wireType === VARINT) this.#varints(begin, reader.at);
    else this.#copy(begin, reader.at - begin);
  }

  #copy(from: number, length: number): void {
    copyBytes(this.#bytes, from, this.#to, this.#at, length);
    this.#at += length;
  }

  /** Each varint between the two positions, which end with one. */
  #varints(begin: number, end: number): void {
    const bytes = this.#bytes;
    for (let at = begin; at < end; ) {
      const byte = bytes[at]!;
      if (byte < 0x80) {
        this.#store(this.#isBool && byte > 1 ? 1 : byte, 0, this.#elementBytes);
        at++;
      } else at = this.#longVarint(at);
    }
  }

  #longVarint(begin: number): number {
    let low = 0;
    let high = 0;
    let at = begin;
    for (let shift = 0; ; shift += 7) {
      if (at - begin >= LONGEST_VARINT_BYTES) throw malformed(`a varint has more than ${LONGEST_VARINT_BYTES} bytes`);
      const byte = this.#bytes[at++]!;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 28) high |= bits << (shift - 32);
      else if (shift === 28) high |= bits >>> 4;
      if (byte < 0x80) break;
    }
    if (this.#isBool) this.#store((low | high) === 0 ? 0 : 1, 0, 1);
    else this.#store(low, high, this.#elementBytes);
    return at;
  }

  /** The low `size` bytes of a number of 64 bits, least first. */
  #store(low: number, high: number, size: number): void {
    const to = this.#to;
    let at = this.#at;
    to[at++] = low;
    if (size > 1) to[at++] = low >>> 8;
    if (size > 2) {
      to[at++] = low >>> 16;
      to[at++] = low >>> 24;
    }
    if (size > 4) {
      to[at++] = high;
      to[at++] = high >>> 8;
      to[at++] = high >>> 16;
      to[at++] = high >>> 24;
    }
    this.#at = at;
  }
}
