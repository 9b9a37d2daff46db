import { type DataType, elementBytes } from '../types/datatype.js';
import { invalid, type ServerError } from '../types/errors.js';
import { toHalf } from '../types/half.js';
import { JsonLeaves } from './json-leaves.js';
import { longOf, readDouble, readIntegerText, readSmallInteger, shownAhead } from './json-numbers.js';
import { readString } from './json-strings.js';

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Least and most of the integer types up to 32 bits. */
const integerRanges: Partial<Record<DataType, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32768, 32767],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  UINT8: [0, 255],
  UINT16: [0, 65535],
  UINT32: [0, 2 ** 32 - 1],
};

/** Doubles and floats as the 32-bit words they are stored as, least significant first. */
const float64 = new Float64Array(1);
const float32 = new Float32Array(float64.buffer, 0, 1);
const words = new Int32Array(float64.buffer);

/** What the elements of one input are read from, and how it is called in messages. */
class Elements extends JsonLeaves {
  readonly name: string;
  readonly datatype: DataType;

  constructor(body: Buffer, range: Range, name: string, datatype: DataType) {
    super(body, range.start, range.end);
    this.name = name;
    this.datatype = datatype;
  }

  /** `what` is the tail of Triton's text: `non-boolean as boolean`. */
  wrongType(what: string, found: string): ServerError {
    const detail = found === '' ? '' : `, got ${found}`;
    return invalid(`Unable to parse 'data': attempt to access JSON ${what} for input '${this.name}'${detail}`);
  }
}

/** Bytes that a JSON array of strings, or a single string, takes as BYTES elements, each with its 4-byte length. */
export function jsonTensorBytes(body: Buffer, range: Range, name: string): number {
  const elements = new Elements(body, range, name, 'BYTES');
  let bytes = 0;
  while (elements.nextLeaf()) bytes += 4 + readStringElement(elements, null, 0);
  return bytes;
}

/**
 * Writes the elements of a JSON array, nested or flat, depth first, or a single element, as little-endian bytes into `target` from byte `begin` on, and
 * gives the number of bytes written. `range` comes from `parseInferHead` or `parseGenerate`. Throws INVALID_ARGUMENT that names the input for what does
 * not fit its datatype, or its shape (`count` elements; the core counts strings); bytes may have been written by then.
 */
export function readJsonTensor(
  body: Buffer,
  range: Range,
  name: string,
  datatype: DataType,
  count: number,
  target: Uint8Array,
  begin: number,
): number {
  const elements = new Elements(body, range, name, datatype);
  if (datatype === 'BYTES') return readStrings(elements, target, begin);
  // Triton ignores the data of a tensor without elements (fact sheet 2.2); it must be JSON all the same.
  if (count === 0) elements.value();
  else readFixed(elements, count, target, begin);
  return count * elementBytes[datatype];
}

function readFixed(elements: Elements, count: number, target: Uint8Array, begin: number): void {
  const { datatype, name } = elements;
  if (datatype === 'BF16') {
    throw invalid(`receiving BF16 data via JSON is not supported. Please use the binary data format for input ${name}`);
  }
  if (datatype === 'BOOL') readBooleans(elements, count, target, begin);
  else if (datatype.startsWith('FP')) readFloats(elements, count, target, begin);
  else if (datatype.endsWith('64')) readLongs(elements, count, target, begin);
  else readIntegers(elements, count, target, begin);
}

function readStrings(elements: Elements, target: Uint8Array, begin: number): number {
  let at = begin;
  while (elements.nextLeaf()) {
    const length = readStringElement(elements, target, at + 4);
    storeWord(target, at, length);
    at += 4 + length;
  }
  return at - begin;
}

function readStringElement(elements: Elements, target: Uint8Array | null, begin: number): number {
  if (elements.bytes[elements.at] === 0x22) return readString(elements, target, begin);
  throw invalid(
    `Unable to parse JSON bytes array: attempt to access JSON non-string as string for input '${elements.name}'`,
  );
}

function readBooleans(elements: Elements, count: number, target: Uint8Array, begin: number): void {
  let at = begin;
  for (let left = count; elements.nextLeaf(); left--) {
    if (left === 0) throw shapeMismatch();
    const byte = elements.bytes[elements.at];
    if (byte === 0x74) target[at++] = elements.word('true', 1);
    else if (byte === 0x66) target[at++] = elements.word('false', 0);
    else throw elements.wrongType('non-boolean as boolean', shownAhead(elements));
  }
  if (at !== begin + count) throw shapeMismatch();
}

function readIntegers(elements: Elements, count: number, target: Uint8Array, begin: number): void {
  const size = elementBytes[elements.datatype];
  const [least, most] = integerRanges[elements.datatype]!;
  let at = begin;
  for (let left = count; elements.nextLeaf(); left--) {
    if (left === 0) throw shapeMismatch();
    const small = readSmallInteger(elements);
    const value = Number.isNaN(small) ? Number(integerText(elements)) : small;
    if (value < least || value > most) throw outOfRange(elements, value);
    target[at] = value;
    if (size > 1) target[at + 1] = value >> 8;
    if (size > 2) {
      target[at + 2] = value >> 16;
      target[at + 3] = value >> 24;
    }
    at += size;
  }
  if (at !== begin + count * size) throw shapeMismatch();
}

function readLongs(elements: Elements, count: number, target: Uint8Array, begin: number): void {
  const isUnsigned = elements.datatype === 'UINT64';
  let at = begin;
  for (let left = count; elements.nextLeaf(); left--) {
    if (left === 0) throw shapeMismatch();
    const value = readSmallInteger(elements);
    if (Number.isNaN(value)) {
      storeLong(target, at, integerText(elements), elements);
    } else {
      if (isUnsigned && value < 0) throw outOfRange(elements, value);
      storeWord(target, at, value % 2 ** 32);
      storeWord(target, at + 4, Math.floor(value / 2 ** 32));
    }
    at += 8;
  }
  if (at !== begin + count * 8) throw shapeMismatch();
}

function readFloats(elements: Elements, count: number, target: Uint8Array, begin: number): void {
  const { datatype } = elements;
  const size = elementBytes[datatype];
  let at = begin;
  for (let left = count; elements.nextLeaf(); left--) {
    if (left === 0) throw shapeMismatch();
    const value = readNumber(elements);
    if (size === 4) {
      float32[0] = value;
      storeWord(target, at, words[0]!);
    } else if (size === 8) {
      float64[0] = value;
      storeWord(target, at, words[0]!);
      storeWord(target, at + 4, words[1]!);
    } else {
      const half = toHalf(value);
      target[at] = half;
      target[at + 1] = half >> 8;
    }
    at += size;
  }
  if (at !== begin + count * size) throw shapeMismatch();
}

function readNumber(elements: Elements): number {
  const byte = elements.bytes[elements.at]!;
  const isOther = byte === 0x22 || byte === 0x7b || byte === 0x74 || byte === 0x66 || byte === 0x6e;
  if (isOther) throw elements.wrongType('non-number as double', shownAhead(elements));
  return readDouble(elements);
}

/** What is no short plain integer: too long, or not an integer at all. */
function integerText(elements: Elements): string {
  const text = readIntegerText(elements);
  if (text !== '') return text;
  throw elements.wrongType(wrongInteger(elements.datatype), shownAhead(elements));
}

function wrongInteger(datatype: DataType): string {
  return datatype.startsWith('U') ? 'non-unsigned-integer as unsigned-integer' : 'non-signed-integer as signed-integer';
}

function storeLong(target: Uint8Array, at: number, text: string, elements: Elements): void {
  const value = longOf(text);
  const isUnsigned = elements.datatype === 'UINT64';
  if (value === null || (isUnsigned ? value < 0n : value >= 2n ** 63n)) throw outOfRange(elements, text);
  storeWord(target, at, Number(value & 0xffffffffn));
  storeWord(target, at + 4, Number((value >> 32n) & 0xffffffffn));
}

function storeWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word;
  target[at + 1] = word >> 8;
  target[at + 2] = word >> 16;
  target[at + 3] = word >> 24;
}

/** Triton's texts for negatives and 64 bits (fact sheet 13 item 15); narrower types it truncates. */
function outOfRange(elements: Elements, found: string | number): ServerError {
  const { datatype, name } = elements;
  const text = String(found);
  const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  if (datatype.endsWith('64') || (datatype.startsWith('U') && text.startsWith('-'))) {
    return elements.wrongType(wrongInteger(datatype), shown);
  }
  return invalid(`Unable to parse 'data': ${shown} does not fit ${datatype} for input '${name}'`);
}

export function shapeMismatch(): ServerError {
  return invalid("Unable to parse 'data': Shape does not match true shape of 'data' field");
}
