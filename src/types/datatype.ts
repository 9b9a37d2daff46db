/** Element types by their protocol name (v2 API; the configuration writes `TYPE_` in front, and TYPE_STRING for BYTES). */
export type DataType =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES'
  | 'BF16';

/** Bytes of one element; 0 for BYTES, whose elements are a 4-byte little-endian length and that many bytes. */
export const elementBytes: Readonly<Record<DataType, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
  BF16: 2,
};

export function isDataType(name: string): name is DataType {
  return Object.hasOwn(elementBytes, name);
}
