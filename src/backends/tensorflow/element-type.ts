import { ServerError } from '../../types/errors.js';

/** TensorProto.DataType of ONNX: the only element types that are spoken of behind the reader. */
export const elementType = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  HALF: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  BFLOAT16: 16,
} as const;

/** tensorflow/core/framework/types.proto: number, name, ONNX's number (0 = ONNX has none), bytes of an element. */
const types: readonly (readonly [number, string, number, number])[] = [
  [1, 'DT_FLOAT', elementType.FLOAT, 4],
  [2, 'DT_DOUBLE', elementType.DOUBLE, 8],
  [3, 'DT_INT32', elementType.INT32, 4],
  [4, 'DT_UINT8', elementType.UINT8, 1],
  [5, 'DT_INT16', elementType.INT16, 2],
  [6, 'DT_INT8', elementType.INT8, 1],
  [7, 'DT_STRING', elementType.STRING, 0],
  [8, 'DT_COMPLEX64', 0, 0],
  [9, 'DT_INT64', elementType.INT64, 8],
  [10, 'DT_BOOL', elementType.BOOL, 1],
  [14, 'DT_BFLOAT16', elementType.BFLOAT16, 2],
  [17, 'DT_UINT16', elementType.UINT16, 2],
  [18, 'DT_COMPLEX128', 0, 0],
  [19, 'DT_HALF', elementType.HALF, 2],
  [20, 'DT_RESOURCE', 0, 0],
  [21, 'DT_VARIANT', 0, 0],
  [22, 'DT_UINT32', elementType.UINT32, 4],
  [23, 'DT_UINT64', elementType.UINT64, 8],
];

const byTensorFlow = new Map(types.map((row) => [row[0], row]));
const byOnnx = new Map(types.filter((row) => row[2] !== 0).map((row) => [row[2], row]));

/** DT_RESOURCE: a variable by its handle. */
export const DT_RESOURCE = 20;

/** ONNX's number of a TensorFlow type. Throws UNSUPPORTED that names it. */
export function fromTensorFlow(type: number): number {
  const found = byTensorFlow.get(type)?.[2] ?? 0;
  if (found !== 0) return found;
  throw new ServerError(
    'UNSUPPORTED',
    `element type ${byTensorFlow.get(type)?.[1] ?? type} has no counterpart in ONNX`,
  );
}

/** As TensorFlow writes it. */
export function typeName(type: number): string {
  return byOnnx.get(type)?.[1] ?? String(type);
}

/** 0 = strings. */
export function bytesOfElement(type: number): number {
  return byOnnx.get(type)?.[3] ?? 0;
}

export function isFloat(type: number): boolean {
  return type === elementType.FLOAT || type === elementType.DOUBLE || type === elementType.HALF;
}
