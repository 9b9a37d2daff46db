import { type DataType, elementBytes } from '../../types/datatype.js';
import { fromHalf } from '../../types/half.js';

/** Elements with commas between, as Triton's traces have them: strings in quotes, BOOL as 0 and 1. @param bytes little-endian, whole elements */
export function tensorText(datatype: DataType, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype === 'BYTES') return stringsOf(bytes, view).join();
  const read = readers[datatype];
  const step = elementBytes[datatype];
  const texts: string[] = [];
  for (let at = 0; at + step <= bytes.length; at += step) texts.push(String(read(view, at)));
  return texts.join();
}

const readers: Readonly<Record<Exclude<DataType, 'BYTES'>, (view: DataView, at: number) => number | bigint>> = {
  BOOL: (view, at) => view.getUint8(at),
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => view.getBigUint64(at, true),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => view.getBigInt64(at, true),
  FP16: (view, at) => fromHalf(view.getUint16(at, true)),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
  BF16: (view, at) => fromBrain(view.getUint16(at, true)),
};

const word = new DataView(new ArrayBuffer(4));

/** The upper half of a float. */
function fromBrain(half: number): number {
  word.setUint32(0, half << 16);
  return word.getFloat32(0);
}

function stringsOf(bytes: Uint8Array, view: DataView): string[] {
  const strings: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + view.getUint32(at, true);
    strings.push(`"${Buffer.from(bytes.subarray(at + 4, end)).toString()}"`);
    at = end;
  }
  return strings;
}
