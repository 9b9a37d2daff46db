import type { DataType } from '../../../src/types/datatype.js';
import { toHalf } from '../../../src/types/half.js';

/** One element, as JSON or a generator has it. */
export type Element = number | bigint | boolean | string;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The BF16 value nearest to `value`, ties to even, as its bits. */
export function toBrain(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  float[0] = value;
  const word = bits[0]!;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** The value of BF16 bits. */
export function fromBrain(brain: number): number {
  bits[0] = brain << 16;
  return float[0]!;
}

/** Writes an element that fits its datatype at byte `at`. */
type Store = (bytes: Buffer, at: number, value: number) => void;

const stores: Readonly<Record<Exclude<DataType, 'BYTES' | 'INT64' | 'UINT64'>, Store>> = {
  BOOL: (bytes, at, value) => bytes.writeUInt8(value, at),
  UINT8: (bytes, at, value) => bytes.writeUInt8(value, at),
  UINT16: (bytes, at, value) => bytes.writeUInt16LE(value, at),
  UINT32: (bytes, at, value) => bytes.writeUInt32LE(value, at),
  INT8: (bytes, at, value) => bytes.writeInt8(value, at),
  INT16: (bytes, at, value) => bytes.writeInt16LE(value, at),
  INT32: (bytes, at, value) => bytes.writeInt32LE(value, at),
  FP16: (bytes, at, value) => bytes.writeUInt16LE(toHalf(value), at),
  BF16: (bytes, at, value) => bytes.writeUInt16LE(toBrain(value), at),
  FP32: (bytes, at, value) => bytes.writeFloatLE(value, at),
  FP64: (bytes, at, value) => bytes.writeDoubleLE(value, at),
};

/** Writes a number that fits its datatype, which is not BYTES, at byte `at`. */
export function storeNumber(datatype: DataType, bytes: Buffer, at: number, value: number | bigint): void {
  if (datatype === 'INT64') bytes.writeBigInt64LE(BigInt(value), at);
  else if (datatype === 'UINT64') bytes.writeBigUInt64LE(BigInt(value), at);
  else stores[datatype as keyof typeof stores](bytes, at, Number(value));
}

/** BYTES elements, each behind its length of 4 bytes. */
export function packStrings(strings: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const string of strings) {
    const content = typeof string === 'string' ? Buffer.from(string) : string;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content.length);
    parts.push(length, content);
  }
  return Buffer.concat(parts);
}

/** The elements of a BYTES tensor; null = the lengths in it do not lead to its end. */
export function unpackStrings(bytes: Buffer): Buffer[] | null {
  const strings: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return null;
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) return null;
    strings.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return strings;
}
