import { type DataType, elementBytes } from '../../../src/types/datatype.js';
import { fromHalf, toHalf } from '../../../src/types/half.js';

export type FixedType = Exclude<DataType, 'BYTES'>;

/** One element of fixed size. */
export type FixedElement = number | bigint | boolean;

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

/** How an element that is not of BYTES lies in memory. */
interface Form {
  readonly load: (bytes: Buffer, at: number) => FixedElement;
  /** Of one that fits. */
  readonly store: (bytes: Buffer, at: number, value: FixedElement) => void;
}

const forms: Readonly<Record<FixedType, Form>> = {
  BOOL: { load: (bytes, at) => bytes[at] !== 0, store: (bytes, at, value) => bytes.writeUInt8(Number(value), at) },
  UINT8: { load: (bytes, at) => bytes[at]!, store: (bytes, at, value) => bytes.writeUInt8(Number(value), at) },
  UINT16: {
    load: (bytes, at) => bytes.readUInt16LE(at),
    store: (bytes, at, value) => bytes.writeUInt16LE(Number(value), at),
  },
  UINT32: {
    load: (bytes, at) => bytes.readUInt32LE(at),
    store: (bytes, at, value) => bytes.writeUInt32LE(Number(value), at),
  },
  UINT64: {
    load: (bytes, at) => bytes.readBigUInt64LE(at),
    store: (bytes, at, value) => bytes.writeBigUInt64LE(BigInt(value), at),
  },
  INT8: { load: (bytes, at) => bytes.readInt8(at), store: (bytes, at, value) => bytes.writeInt8(Number(value), at) },
  INT16: {
    load: (bytes, at) => bytes.readInt16LE(at),
    store: (bytes, at, value) => bytes.writeInt16LE(Number(value), at),
  },
  INT32: {
    load: (bytes, at) => bytes.readInt32LE(at),
    store: (bytes, at, value) => bytes.writeInt32LE(Number(value), at),
  },
  INT64: {
    load: (bytes, at) => bytes.readBigInt64LE(at),
    store: (bytes, at, value) => bytes.writeBigInt64LE(BigInt(value), at),
  },
  FP16: {
    load: (bytes, at) => fromHalf(bytes.readUInt16LE(at)),
    store: (bytes, at, value) => bytes.writeUInt16LE(toHalf(Number(value)), at),
  },
  BF16: {
    load: (bytes, at) => fromBrain(bytes.readUInt16LE(at)),
    store: (bytes, at, value) => bytes.writeUInt16LE(toBrain(Number(value)), at),
  },
  FP32: {
    load: (bytes, at) => bytes.readFloatLE(at),
    store: (bytes, at, value) => bytes.writeFloatLE(Number(value), at),
  },
  FP64: {
    load: (bytes, at) => bytes.readDoubleLE(at),
    store: (bytes, at, value) => bytes.writeDoubleLE(Number(value), at),
  },
};

/** The elements of a tensor that is not of BYTES, one behind the other. */
export function packElements(datatype: FixedType, elements: readonly FixedElement[]): Buffer {
  const size = elementBytes[datatype];
  const { store } = forms[datatype];
  const bytes = Buffer.alloc(elements.length * size);
  for (let nth = 0; nth < elements.length; nth++) store(bytes, nth * size, elements[nth]!);
  return bytes;
}

export function unpackElements(datatype: FixedType, bytes: Buffer): FixedElement[] {
  const size = elementBytes[datatype];
  const { load } = forms[datatype];
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, nth) => load(bytes, nth * size));
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
