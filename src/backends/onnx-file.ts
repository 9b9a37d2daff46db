import type { DataType } from '../types/datatype.js';
import { ServerError } from '../types/errors.js';
import type { ModelSignature, SignatureTensor } from '../types/model.js';
import {
  datatypeOf,
  dimProto,
  elementTypeName,
  graphProto,
  modelProto,
  nodeProto,
  shapeProto,
  sparseTensorProto,
  tensorProto,
  tensorTypeProto,
  typeProto,
  valueInfoProto,
  valueKinds,
} from './onnx-proto.js';
import { messages, type WireField, WireFile } from './onnx-wire.js';

/** A ValueInfoProto: its name, and where its type lies. */
interface NamedValue {
  readonly name: string;
  readonly type: WireField | null;
}

/**
 * Inputs, outputs and overridable initialisers of an ONNX file, in its order, without reading its weights. (Up to IR version 3
 * exporters list all initialisers as graph inputs: all of them are overridable then.)
 *
 * A symbolic, negative or missing dimension is -1. Rank 0 is `[]`; a tensor that says nothing of its shape, not even its rank, is
 * refused by name, because nothing could be held against it. Throws INTERNAL where the file cannot be read or is no ONNX model,
 * UNSUPPORTED for values that are no tensors and for element types that the protocol has no datatype for.
 */
export async function readOnnxSignature(path: string): Promise<ModelSignature> {
  return readAll(path, readSignature);
}

/** The operators of the nodes of its graph, without those of graphs within. Throws as `readOnnxSignature`. */
export function readOnnxOperators(path: string): Set<string> {
  return readAll(path, (file) => {
    const operators = new Set<string>();
    for (const field of messages(file.within(findGraph(file)))) {
      const name = field.number === graphProto.node ? firstMessage(file, field, nodeProto.opType) : null;
      if (name !== null) operators.add(file.text(name));
    }
    return operators;
  });
}

function readAll<Result>(path: string, read: (file: WireFile) => Result): Result {
  try {
    const file = new WireFile(path);
    try {
      return read(file);
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw new ServerError('INTERNAL', `failed to read model file ${path}: ${(error as Error).message}`);
  }
}

/** For tests: the window is theirs. The file stays open. */
export function readSignature(file: WireFile): ModelSignature {
  const graph = findGraph(file);
  const initializers = new Set<string>();
  const inputs: NamedValue[] = [];
  const outputs: NamedValue[] = [];
  for (const field of messages(file.within(graph))) {
    if (field.number === graphProto.initializer) initializers.add(tensorName(file, field));
    else if (field.number === graphProto.sparseInitializer) initializers.add(sparseName(file, field));
    else if (field.number === graphProto.input) inputs.push(namedValue(file, field));
    else if (field.number === graphProto.output) outputs.push(namedValue(file, field));
  }
  const read = (value: NamedValue) => readValue(file, value);
  return {
    inputs: inputs.filter(({ name }) => !initializers.has(name)).map(read),
    outputs: outputs.map(read),
    overridable: inputs.filter(({ name }) => initializers.has(name)).map(read),
  };
}

function findGraph(file: WireFile): WireField {
  let graph: WireField | null = null;
  for (const field of messages(file.fields(0, file.size))) if (field.number === modelProto.graph) graph = field;
  if (graph !== null) return graph;
  throw new ServerError(
    'INTERNAL',
    `onnx runtime error 7: Load model from ${file.path} failed:ModelProto does not have a graph.`,
  );
}

function firstMessage(file: WireFile, message: WireField, number: number): WireField | null {
  for (const field of messages(file.within(message))) if (field.number === number) return field;
  return null;
}

/** '' = it has none. The name lies before `raw_data`, so the elements are not even walked over. */
function tensorName(file: WireFile, tensor: WireField): string {
  const name = firstMessage(file, tensor, tensorProto.name);
  return name === null ? '' : file.text(name);
}

/** The name of a sparse tensor is that of its values. */
function sparseName(file: WireFile, sparse: WireField): string {
  const values = firstMessage(file, sparse, sparseTensorProto.values);
  return values === null ? '' : tensorName(file, values);
}

function namedValue(file: WireFile, value: WireField): NamedValue {
  const name = firstMessage(file, value, valueInfoProto.name);
  return { name: name === null ? '' : file.text(name), type: firstMessage(file, value, valueInfoProto.type) };
}

function readValue(file: WireFile, { name, type }: NamedValue): SignatureTensor {
  if (type === null) throw unsaid('type', name);
  for (const kind of messages(file.within(type))) {
    if (kind.number === typeProto.tensor) return readTensorType(file, kind, name);
    const other = valueKinds[kind.number];
    if (other === undefined) continue;
    throw new ServerError(
      'UNSUPPORTED',
      `Unsupported ONNX Type '${other}' for I/O '${name}', expected 'ONNX_TYPE_TENSOR'.`,
    );
  }
  throw unsaid('type', name);
}

function readTensorType(file: WireFile, type: WireField, name: string): SignatureTensor {
  let datatype: DataType | null = null;
  let shape: number[] | null = null;
  for (const field of file.within(type)) {
    if (field.number === tensorTypeProto.elementType && field.wire === 0) datatype = elementType(field.value, name);
    if (field.number === tensorTypeProto.shape && field.wire === 2) shape = readShape(file, field);
  }
  if (datatype === null) throw unsaid('element type', name);
  if (shape === null) throw unsaid('shape', name);
  return { name, datatype, shape };
}

function elementType(number: number, name: string): DataType {
  const datatype = datatypeOf(number);
  if (datatype !== null) return datatype;
  throw new ServerError(
    'UNSUPPORTED',
    `I/O '${name}' has ONNX element type ${elementTypeName(number)}, which no datatype of the protocol can carry; cast it inside the model`,
  );
}

function unsaid(what: string, name: string): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    `the ONNX file does not say the ${what} of I/O '${name}'; run onnx.shape_inference on it and save it again`,
  );
}

function readShape(file: WireFile, shape: WireField): number[] {
  const dims: number[] = [];
  for (const dim of messages(file.within(shape))) {
    if (dim.number === shapeProto.dim) dims.push(readDim(file, dim));
  }
  return dims;
}

/** Negative numbers are beyond 2^53 as varints. */
function readDim(file: WireFile, dim: WireField): number {
  let size = -1;
  for (const field of file.within(dim)) {
    if (field.number === dimProto.value && field.wire === 0) size = field.value;
  }
  return Number.isSafeInteger(size) ? size : -1;
}
