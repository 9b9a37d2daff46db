import type { DataType } from '../types/datatype.js';
import { ServerError } from '../types/errors.js';
import type { ModelSignature, SignatureTensor } from '../types/model.js';
import { type WireField, WireFile } from './onnx-wire.js';

/** Field numbers of onnx.proto. */
export const MODEL_GRAPH = 7;
export const GRAPH_INITIALIZER = 5;
const GRAPH_INPUT = 11;
const GRAPH_OUTPUT = 12;
const GRAPH_SPARSE_INITIALIZER = 15;
export const TENSOR_NAME = 8;

/** TensorProto.DataType; the numbers left out have no name in the protocol. */
export const onnxTypes: Readonly<Record<number, DataType>> = {
  1: 'FP32',
  2: 'UINT8',
  3: 'INT8',
  4: 'UINT16',
  5: 'INT16',
  6: 'INT32',
  7: 'INT64',
  8: 'BYTES',
  9: 'BOOL',
  10: 'FP16',
  11: 'FP64',
  12: 'UINT32',
  13: 'UINT64',
  16: 'BF16',
};

/** Fields of TypeProto that are no tensors. */
const valueKinds: Readonly<Record<number, string>> = {
  4: 'ONNX_TYPE_SEQUENCE',
  5: 'ONNX_TYPE_MAP',
  7: 'ONNX_TYPE_OPAQUE',
  8: 'ONNX_TYPE_SPARSETENSOR',
  9: 'ONNX_TYPE_OPTIONAL',
};

/**
 * Inputs, outputs and overridable initialisers of an ONNX file, without reading its weights. A symbolic or missing dimension is
 * -1. A tensor without any shape is refused by name: nothing can be checked against it. Throws INTERNAL where the file is no ONNX
 * model, UNSUPPORTED for values that are no tensors.
 */
export async function readOnnxSignature(path: string): Promise<ModelSignature> {
  const file = new WireFile(path);
  try {
    return readSignature(file, path);
  } finally {
    file.close();
  }
}

export function readSignature(file: WireFile, path: string): ModelSignature {
  let graph: WireField | null = null;
  for (const field of file.fields(0, file.size)) if (field.number === MODEL_GRAPH && field.wire === 2) graph = field;
  if (graph === null) {
    throw new ServerError('INTERNAL', `onnx runtime error 7: Load model from ${path} failed:the file has no graph: it is no ONNX model.`);
  }
  const initializers = new Set<string>();
  const values: { input: WireField[]; output: WireField[] } = { input: [], output: [] };
  for (const field of file.fields(graph.begin, graph.end)) {
    if (field.number === GRAPH_INITIALIZER) initializers.add(tensorName(file, field));
    else if (field.number === GRAPH_SPARSE_INITIALIZER) initializers.add(sparseName(file, field));
    else if (field.number === GRAPH_INPUT) values.input.push(field);
    else if (field.number === GRAPH_OUTPUT) values.output.push(field);
  }
  const inputs = values.input.filter((field) => !initializers.has(valueName(file, field)));
  const overridable = values.input.filter((field) => initializers.has(valueName(file, field)));
  return {
    inputs: inputs.map((field) => readValue(file, field)),
    outputs: values.output.map((field) => readValue(file, field)),
    overridable: overridable.map((field) => readValue(file, field)),
  };
}

function tensorName(file: WireFile, tensor: WireField): string {
  for (const field of file.fields(tensor.begin, tensor.end)) if (field.number === TENSOR_NAME) return file.text(field);
  return '';
}

/** SparseTensorProto: its `values` tensor carries the name. */
function sparseName(file: WireFile, sparse: WireField): string {
  for (const field of file.fields(sparse.begin, sparse.end)) if (field.number === 1) return tensorName(file, field);
  return '';
}

/** ValueInfoProto.name. */
function valueName(file: WireFile, value: WireField): string {
  for (const field of file.fields(value.begin, value.end)) if (field.number === 1) return file.text(field);
  return '';
}

function readValue(file: WireFile, value: WireField): SignatureTensor {
  const name = valueName(file, value);
  for (const type of file.fields(value.begin, value.end)) {
    if (type.number !== 2) continue;
    for (const kind of file.fields(type.begin, type.end)) {
      if (kind.number === 1) return readTensorType(file, kind, name);
      const other = valueKinds[kind.number];
      if (other !== undefined) {
        throw new ServerError('UNSUPPORTED', `Unsupported ONNX Type '${other}' for I/O '${name}', expected 'ONNX_TYPE_TENSOR'.`);
      }
    }
  }
  throw new ServerError('UNSUPPORTED', `the ONNX file does not say the type of I/O '${name}'; run shape inference on it and export it again`);
}

/** TypeProto.Tensor: elem_type 1, shape 2. */
function readTensorType(file: WireFile, type: WireField, name: string): SignatureTensor {
  let datatype: DataType | undefined;
  let shape: number[] | null = null;
  for (const field of file.fields(type.begin, type.end)) {
    if (field.number === 1) datatype = elementType(field.value, name);
    if (field.number === 2) shape = readShape(file, field);
  }
  if (datatype === undefined || shape === null) {
    const what = datatype === undefined ? 'element type' : 'shape';
    throw new ServerError('UNSUPPORTED', `the ONNX file does not say the ${what} of I/O '${name}'; run shape inference on it and export it again`);
  }
  return { name, datatype, shape };
}

function elementType(number: number, name: string): DataType {
  const datatype = onnxTypes[number];
  if (datatype !== undefined) return datatype;
  throw new ServerError('UNSUPPORTED', `I/O '${name}' has ONNX element type ${number}, which no datatype of the protocol can carry`);
}

/** TensorShapeProto: dim 1 = { dim_value 1 | dim_param 2 }. */
function readShape(file: WireFile, shape: WireField): number[] {
  const dims: number[] = [];
  for (const dim of file.fields(shape.begin, shape.end)) {
    if (dim.number !== 1) continue;
    let size = -1;
    for (const field of file.fields(dim.begin, dim.end)) if (field.number === 1 && field.wire === 0) size = field.value;
    dims.push(Number.isSafeInteger(size) ? size : -1);
  }
  return dims;
}
