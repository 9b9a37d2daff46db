import protobuf from 'protobufjs';
import { type DataType, elementBytes } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import { GRAPH_INITIALIZER, MODEL_GRAPH, onnxTypes, TENSOR_NAME } from './onnx-file.js';

/** The value that an opened input has where a request leaves it out. */
export interface InputDefault {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OpenedModel {
  readonly model: Uint8Array;
  readonly defaults: readonly InputDefault[];
}

/**
 * Makes plain inputs of initialisers that are graph inputs too: onnxruntime-node ignores a feed for an initialiser without a word.
 * The initialisers of these names are taken out of the file's bytes and their values returned. Throws INVALID_ARGUMENT for a
 * value that is not in the file itself.
 */
export function openInitializers(bytes: Uint8Array, names: ReadonlySet<string>): OpenedModel {
  const defaults: InputDefault[] = [];
  const model = rewrite(bytes, (number, content) => {
    if (number !== MODEL_GRAPH) return content;
    return rewrite(content, (field, tensor) => {
      if (field !== GRAPH_INITIALIZER || !names.has(nameOf(tensor))) return tensor;
      defaults.push(readTensor(tensor));
      return null;
    });
  });
  return { model, defaults };
}

/** Copies a message field by field; `change` gets each length-delimited content and returns what to write (null = leave it out). */
function rewrite(bytes: Uint8Array, change: (number: number, content: Uint8Array) => Uint8Array | null): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  const parts: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const begin = reader.pos;
    const tag = reader.uint32();
    if ((tag & 7) !== 2) {
      reader.skipType(tag & 7);
      parts.push(bytes.subarray(begin, reader.pos));
      continue;
    }
    const content = reader.bytes();
    const changed = change(tag >>> 3, content);
    if (changed === content) parts.push(bytes.subarray(begin, reader.pos));
    else if (changed !== null) parts.push(protobuf.Writer.create().uint32(tag).bytes(changed).finish());
  }
  return Uint8Array.from(Buffer.concat(parts));
}

function nameOf(tensor: Uint8Array): string {
  const reader = protobuf.Reader.create(tensor);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === TENSOR_NAME) return reader.string();
    reader.skipType(tag & 7);
  }
  return '';
}

/** What of a TensorProto matters here. */
interface RawTensor {
  name: string;
  type: number;
  dims: number[];
  raw: Uint8Array | null;
  isExternal: boolean;
  /** Typed fields, by field number: float_data 4, int32_data 5, int64_data 7, double_data 10, uint64_data 11. */
  typed: { field: number; content: Uint8Array } | null;
}

function readTensor(bytes: Uint8Array): InputDefault {
  const tensor = readRaw(bytes);
  const datatype = onnxTypes[tensor.type];
  if (datatype === undefined || datatype === 'BYTES' || tensor.isExternal) {
    throw invalid(
      `input '${tensor.name}' is configured as optional, but its default value is ${tensor.isExternal ? 'in another file' : 'of a type that cannot be read'}; ` +
        'export the model with the value inside, or without it',
    );
  }
  const { name, dims: shape } = tensor;
  if (tensor.raw !== null) return { name, datatype, shape, bytes: Uint8Array.from(tensor.raw) };
  return { name, datatype, shape, bytes: typedBytes(tensor, datatype) };
}

function readRaw(bytes: Uint8Array): RawTensor {
  const tensor: RawTensor = { name: '', type: 0, dims: [], raw: null, isExternal: false, typed: null };
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if (field === 1) readDims(reader, tag & 7, tensor.dims);
    else if (field === 2) tensor.type = reader.int32();
    else if (field === TENSOR_NAME) tensor.name = reader.string();
    else if (field === 9) tensor.raw = reader.bytes();
    else if (field === 14) tensor.isExternal = reader.int32() === 1;
    else if ((tag & 7) === 2 && [4, 5, 7, 10, 11].includes(field)) tensor.typed = { field, content: reader.bytes() };
    else reader.skipType(tag & 7);
  }
  return tensor;
}

function readDims(reader: protobuf.Reader, wire: number, dims: number[]): void {
  const end = wire === 2 ? reader.uint32() + reader.pos : reader.pos + 1;
  do dims.push(Number(reader.int64()));
  while (reader.pos < end);
}

/** Packed typed fields to little-endian elements; small types lie in int32_data, one element each. */
function typedBytes(tensor: RawTensor, datatype: DataType): Uint8Array {
  const { field, content } = tensor.typed ?? { field: 5, content: new Uint8Array(0) };
  if (field === 4 || field === 10) return Uint8Array.from(content);
  const reader = protobuf.Reader.create(content);
  const size = elementBytes[datatype];
  const values: Buffer[] = [];
  while (reader.pos < reader.len) {
    const element = Buffer.alloc(8);
    element.writeBigInt64LE(BigInt.asIntN(64, BigInt(String(reader.int64()))));
    values.push(element.subarray(0, size));
  }
  return Uint8Array.from(Buffer.concat(values));
}
