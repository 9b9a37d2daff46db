import { assert } from '../base/assert.js';
import type { DataType } from '../types/datatype.js';
import type { ConfigDataType } from './model-config.js';

/** `TYPE_FP32` -> `FP32`; `TYPE_STRING` -> `BYTES`. TYPE_INVALID is refused by validation before anybody asks. */
export function configDataType(name: ConfigDataType): DataType {
  assert(name !== 'TYPE_INVALID', 'a tensor without data_type passed validation');
  return name === 'TYPE_STRING' ? 'BYTES' : (name.slice('TYPE_'.length) as DataType);
}

/** `FP32` -> `TYPE_FP32`. */
export function dataTypeInConfig(datatype: DataType): ConfigDataType {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}
