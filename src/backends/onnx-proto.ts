import type { DataType } from '../types/datatype.js';

/** Field numbers of onnx.proto, as far as they matter here. */
export const modelProto = { graph: 7 } as const;
export const graphProto = { node: 1, initializer: 5, input: 11, output: 12, sparseInitializer: 15 } as const;
export const valueInfoProto = { name: 1, type: 2 } as const;
export const typeProto = { tensor: 1 } as const;
export const tensorTypeProto = { elementType: 1, shape: 2 } as const;
export const shapeProto = { dim: 1 } as const;
export const dimProto = { value: 1 } as const;
export const sparseTensorProto = { values: 1 } as const;
export const tensorProto = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int32Data: 5,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
} as const;
/** StringStringEntryProto. */
export const externalProto = { key: 1, value: 2 } as const;
export const nodeProto = { opType: 4, attribute: 5 } as const;
/** Attributes that are one tensor or many, one graph or many. */
export const attributeProto: Readonly<Record<'tensors' | 'graphs', readonly number[]>> = {
  tensors: [5, 10],
  graphs: [6, 11],
};

/** TensorProto.DataLocation: the elements are in another file. */
export const EXTERNAL = 1;

/** Fields of TypeProto that are no tensors, by the names of ONNX Runtime's C API. */
export const valueKinds: Readonly<Record<number, string>> = {
  4: 'ONNX_TYPE_SEQUENCE',
  5: 'ONNX_TYPE_MAP',
  7: 'ONNX_TYPE_OPAQUE',
  8: 'ONNX_TYPE_SPARSETENSOR',
  9: 'ONNX_TYPE_OPTIONAL',
};

/** TensorProto.DataType; null = the protocol has no datatype for it. */
const elementTypes: Readonly<Record<number, readonly [string, DataType | null]>> = {
  1: ['FLOAT', 'FP32'],
  2: ['UINT8', 'UINT8'],
  3: ['INT8', 'INT8'],
  4: ['UINT16', 'UINT16'],
  5: ['INT16', 'INT16'],
  6: ['INT32', 'INT32'],
  7: ['INT64', 'INT64'],
  8: ['STRING', 'BYTES'],
  9: ['BOOL', 'BOOL'],
  10: ['FLOAT16', 'FP16'],
  11: ['DOUBLE', 'FP64'],
  12: ['UINT32', 'UINT32'],
  13: ['UINT64', 'UINT64'],
  14: ['COMPLEX64', null],
  15: ['COMPLEX128', null],
  16: ['BFLOAT16', 'BF16'],
  17: ['FLOAT8E4M3FN', null],
  18: ['FLOAT8E4M3FNUZ', null],
  19: ['FLOAT8E5M2', null],
  20: ['FLOAT8E5M2FNUZ', null],
  21: ['UINT4', null],
  22: ['INT4', null],
  23: ['FLOAT4E2M1', null],
  24: ['FLOAT8E8M0', null],
  25: ['UINT2', null],
  26: ['INT2', null],
};

/** Null = the protocol has no datatype for it. */
export function datatypeOf(elementType: number): DataType | null {
  return elementTypes[elementType]?.[1] ?? null;
}

/** ONNX's own name; the number where it has none. */
export function elementTypeName(elementType: number): string {
  return elementTypes[elementType]?.[0] ?? String(elementType);
}
