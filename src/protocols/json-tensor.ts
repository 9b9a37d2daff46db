import type { DataType } from '../types/datatype.js';
import { invalid, ServerError } from '../types/errors.js';
import { toHalf } from './half.js';
import { DEEPEST, decodeString, isFloatText, JsonScanner } from './json-scanner.js';

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

/** Bytes that a JSON array needs as BYTES elements: no less than it takes, exact but for escapes. */
export function jsonTensorBytes(body: Buffer, { start, end }: Range, name: string): number {
  let bytes = 0;
  eachElement(body, { start, end }, (scanner) => {
    const begin = scanner.at;
    if (scanner.peek() !== 0x22) throw stringExpected(name);
    scanner.skipString();
    bytes += 4 + decodeString(body, begin + 1, scanner.at - 1).length;
  });
  return bytes;
}

/**
 * Writes the elements of a JSON array, nested or flat, depth first, as little-endian bytes into `target` from byte `begin` on.
 * Throws INVALID_ARGUMENT that names the input for what does not fit its datatype, or its shape (`count` elements).
 */
export function readJsonTensor(
  body: Buffer,
  range: Range,
  name: string,
  datatype: DataType,
  count: number,
  target: Uint8Array,
  begin: number,
): void {
  if (count === 0 && datatype !== 'BYTES') return;
  const writer = new ElementWriter(name, datatype, target, begin);
  let elements = 0;
  eachElement(body, range, (scanner) => {
    if (elements === count && datatype !== 'BYTES') throw shapeMismatch();
    writer.write(scanner);
    elements++;
  });
  // The core counts strings.
  if (elements !== count && datatype !== 'BYTES') throw shapeMismatch();
}

/** Calls `read` for each leaf of nested arrays; it must take the leaf. */
function eachElement(body: Buffer, { start, end }: Range, read: (scanner: JsonScanner) => void): void {
  const scanner = new JsonScanner(body, start, end);
  const indices: number[] = [];
  scanner.expect(0x5b, 'an array');
  indices.push(0);
  while (indices.length > 0) {
    const depth = indices.length - 1;
    if (!scanner.next(indices[depth]!++, 0x5d)) {
      indices.pop();
    } else if (scanner.take(0x5b)) {
      if (indices.push(0) > DEEPEST) throw invalid(`JSON nesting depth exceeds maximum allowed limit (${DEEPEST})`);
    } else {
      read(scanner);
    }
  }
}

class ElementWriter {
  readonly #name: string;
  readonly #datatype: DataType;
  readonly #target: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(name: string, datatype: DataType, target: Uint8Array, begin: number) {
    this.#name = name;
    this.#datatype = datatype;
    this.#target = target;
    this.#view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    this.#at = begin;
  }

  write(scanner: JsonScanner): void {
    switch (this.#datatype) {
      case 'BOOL':
        return this.#bool(scanner);
      case 'BYTES':
        return this.#string(scanner);
      case 'FP16':
      case 'FP32':
      case 'FP64':
        return this.#float(scanner);
      case 'INT64':
      case 'UINT64':
        return this.#long(scanner);
      case 'BF16':
        throw invalid(
          `receiving BF16 data via JSON is not supported. Please use the binary data format for input ${this.#name}`,
        );
      default:
        return this.#integer(scanner);
    }
  }

  #bool(scanner: JsonScanner): void {
    const value = scanner.value();
    if (typeof value !== 'boolean') throw this.#typeError('non-boolean as boolean');
    this.#target[this.#at++] = value ? 1 : 0;
  }

  #string(scanner: JsonScanner): void {
    if (scanner.peek() !== 0x22) throw stringExpected(this.#name);
    const begin = scanner.at + 1;
    scanner.skipString();
    const bytes = decodeString(scanner.bytes, begin, scanner.at - 1);
    this.#view.setUint32(this.#at, bytes.length, true);
    this.#target.set(bytes, this.#at + 4);
    this.#at += 4 + bytes.length;
  }

  #integer(scanner: JsonScanner): void {
    const value = smallInteger(scanner) ?? this.#anyInteger(scanner);
    const [least, most] = integerRanges[this.#datatype]!;
    if (value < least || value > most) throw this.#outOfRange(String(value));
    this.#store(value);
  }

  /** What is no short plain integer: too long, or not an integer at all. */
  #anyInteger(scanner: JsonScanner): number {
    return Number(this.#integerText(scanner));
  }

  #integerText(scanner: JsonScanner): string {
    const text = scanner.numberText();
    if (/^-?(?:0|[1-9][0-9]*)$/.test(text)) return text;
    const kind = this.#datatype.startsWith('U') ? 'unsigned-integer' : 'signed-integer';
    if (isFloatText(text)) throw this.#typeError(`non-${kind} as ${kind}`, text);
    throw isValueStart(scanner) && text === '' ? this.#typeError(`non-${kind} as ${kind}`) : scanner.error('Invalid value.');
  }

  #long(scanner: JsonScanner): void {
    const value = BigInt(smallInteger(scanner) ?? this.#integerText(scanner));
    const isSigned = this.#datatype === 'INT64';
    const fits = isSigned ? value >= -(2n ** 63n) && value < 2n ** 63n : value >= 0n && value < 2n ** 64n;
    if (!fits) throw this.#outOfRange(String(value));
    this.#view.setBigUint64(this.#at, BigInt.asUintN(64, value), true);
    this.#at += 8;
  }

  #float(scanner: JsonScanner): void {
    const value = smallInteger(scanner) ?? this.#anyFloat(scanner);
    if (this.#datatype === 'FP32') this.#view.setFloat32(this.#at, value, true);
    else if (this.#datatype === 'FP64') this.#view.setFloat64(this.#at, value, true);
    else this.#view.setUint16(this.#at, toHalf(value), true);
    this.#at += this.#datatype === 'FP32' ? 4 : this.#datatype === 'FP64' ? 8 : 2;
  }

  #anyFloat(scanner: JsonScanner): number {
    const text = scanner.numberText();
    if (isFloatText(text)) return Number(text);
    throw isValueStart(scanner) || /^[tfn]/.test(text)
      ? this.#typeError('non-number as double')
      : scanner.error('Invalid value.');
  }

  #store(value: number): void {
    switch (this.#datatype) {
      case 'INT8':
      case 'UINT8':
        this.#target[this.#at] = value;
        this.#at += 1;
        return;
      case 'INT16':
      case 'UINT16':
        this.#view.setUint16(this.#at, value & 0xffff, true);
        this.#at += 2;
        return;
      default:
        this.#view.setUint32(this.#at, value >>> 0, true);
        this.#at += 4;
    }
  }

  #typeError(what: string, found = ''): ServerError {
    const detail = found === '' ? '' : `, got ${found}`;
    return invalid(`Unable to parse 'data': attempt to access JSON ${what} for input '${this.#name}'${detail}`);
  }

  #outOfRange(found: string): ServerError {
    return invalid(`Unable to parse 'data': ${found} does not fit ${this.#datatype} for input '${this.#name}'`);
  }
}

/** An integer of up to 15 digits, taken digit by digit; undefined = it is something else, and nothing was taken. */
function smallInteger(scanner: JsonScanner): number | undefined {
  scanner.peek();
  const { bytes, end } = scanner;
  let { at } = scanner;
  const isNegative = bytes[at] === 0x2d;
  if (isNegative) at++;
  const begin = at;
  let value = 0;
  while (at < end) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    at++;
  }
  const digits = at - begin;
  if (digits === 0 || digits > 15 || (digits > 1 && bytes[begin] === 0x30)) return undefined;
  const after = bytes[at];
  if (after !== 0x2c && after !== 0x5d && after !== 0x20 && after !== 0x0a && after !== 0x0d && after !== 0x09) {
    return undefined;
  }
  scanner.at = at;
  return isNegative ? -value : value;
}

function isValueStart(scanner: JsonScanner): boolean {
  const byte = scanner.peek();
  return byte === 0x22 || byte === 0x7b || byte === 0x74 || byte === 0x66 || byte === 0x6e;
}

function shapeMismatch(): ServerError {
  return invalid("Unable to parse 'data': Shape does not match true shape of 'data' field");
}

function stringExpected(name: string): ServerError {
  return invalid(`Unable to parse JSON bytes array: attempt to access JSON non-string as string for input '${name}'`);
}
