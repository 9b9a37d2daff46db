import protobuf from 'protobufjs';
import { type DataType, elementBytes } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import type { InputDefault } from '../types/model.js';
import { elementCount, shapeText } from '../types/tensor.js';
import { datatypeOf, EXTERNAL, elementTypeName, tensorProto } from './onnx-proto.js';

/** What of a TensorProto matters here, not understood yet. */
interface RawTensor {
  name: string;
  elementType: number;
  isExternal: boolean;
  readonly dims: number[];
  /** `raw_data`; null = absent. */
  raw: Uint8Array | null;
  /** The typed fields: each occurrence is a packed run of elements, or one of them. */
  readonly typed: Map<number, Uint8Array[]>;
}

/** A TensorProto as a tensor. Throws INVALID_ARGUMENT that names it where its value is elsewhere, of no datatype, or not of its shape. */
export function readTensor(bytes: Uint8Array): InputDefault {
  const tensor = readFields(bytes);
  const { name, dims: shape } = tensor;
  if (tensor.isExternal) throw unusable(name, 'is in another file', 'save the model with this value inside');
  const datatype = datatypeOf(tensor.elementType);
  if (datatype === null) {
    const type = elementTypeName(tensor.elementType);
    throw unusable(
      name,
      `has ONNX element type ${type}, which no datatype of the protocol can carry`,
      'cast it inside the model',
    );
  }
  if (datatype === 'BYTES') throw unusable(name, 'is of strings', 'export the model without a default for it');
  const [count, value] = fixedElements(tensor, datatype);
  if (count !== elementCount(shape)) {
    throw unusable(
      name,
      `has ${count} elements of the ${elementCount(shape)} of its shape ${shapeText(shape)}`,
      'export the model anew',
    );
  }
  return { name, datatype, shape, bytes: value };
}

function readFields(bytes: Uint8Array): RawTensor {
  const tensor: RawTensor = {
    name: '',
    elementType: 0,
    isExternal: false,
    dims: [],
    raw: null,
    typed: new Map(),
  };
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    readField(reader, tag >>> 3, tag & 7, tensor);
  }
  return tensor;
}

function readField(reader: protobuf.Reader, number: number, wire: number, tensor: RawTensor): void {
  if (number === tensorProto.dims) tensor.dims.push(...varints(content(reader, wire)).map(Number));
  else if (number === tensorProto.dataType) tensor.elementType = reader.int32();
  else if (number === tensorProto.name) tensor.name = reader.string();
  else if (number === tensorProto.rawData) tensor.raw = reader.bytes();
  else if (number === tensorProto.dataLocation) tensor.isExternal = reader.int32() === EXTERNAL;
  else if (elementFields.has(number)) {
    const runs = tensor.typed.get(number);
    if (runs === undefined) tensor.typed.set(number, [content(reader, wire)]);
    else runs.push(content(reader, wire));
  } else reader.skipType(wire);
}

/** The elements of a repeated number, packed or one by one: without their tag and length both read alike. */
function content(reader: protobuf.Reader, wire: number): Uint8Array {
  if (wire === 2) return reader.bytes();
  const begin = reader.pos;
  reader.skipType(wire);
  return reader.buf.subarray(begin, reader.pos);
}

/** Typed fields that hold numbers. */
const elementFields: ReadonlySet<number> = new Set([
  tensorProto.floatData,
  tensorProto.int32Data,
  tensorProto.int64Data,
  tensorProto.doubleData,
  tensorProto.uint64Data,
]);

/** Which of them a datatype's elements are in (onnx.proto, TensorProto). */
function elementField(datatype: DataType): number {
  if (datatype === 'FP32') return tensorProto.floatData;
  if (datatype === 'FP64') return tensorProto.doubleData;
  if (datatype === 'INT64') return tensorProto.int64Data;
  return datatype === 'UINT32' || datatype === 'UINT64' ? tensorProto.uint64Data : tensorProto.int32Data;
}

/** Number of elements and their bytes. */
function fixedElements(tensor: RawTensor, datatype: DataType): [number, Uint8Array] {
  const size = elementBytes[datatype];
  const runs = tensor.typed.get(elementField(datatype)) ?? [];
  if (tensor.raw !== null) return [tensor.raw.length / size, Uint8Array.from(tensor.raw)];
  if (datatype === 'FP32' || datatype === 'FP64') {
    const bytes = Uint8Array.from(Buffer.concat(runs));
    return [bytes.length / size, bytes];
  }
  const values = runs.flatMap(varints);
  const bytes = new Uint8Array(values.length * size);
  values.forEach((value, i) => {
    writeElement(bytes, i * size, size, value);
  });
  return [values.length, bytes];
}

/** Small types lie in wider fields, FP16 and BF16 by their bits: the low bytes are the element. */
function writeElement(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}

function varints(run: Uint8Array): bigint[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of run) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) continue;
    values.push(BigInt.asIntN(64, value));
    value = 0n;
    shift = 0n;
  }
  return values;
}

function unusable(name: string, why: string, fix: string) {
  return invalid(`input '${name}' cannot be opened: its default value ${why}; ${fix}`);
}
