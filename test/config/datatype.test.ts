import { expect, test } from 'vitest';
import { configDataType, dataTypeInConfig } from '../../src/config/datatype.js';
import { elementBytes, isDataType } from '../../src/types/datatype.js';

test('every datatype has a name in the configuration and back', () => {
  for (const name of Object.keys(elementBytes)) {
    if (!isDataType(name)) continue;
    expect(configDataType(dataTypeInConfig(name))).toBe(name);
  }
  expect(dataTypeInConfig('BYTES')).toBe('TYPE_STRING');
  expect(dataTypeInConfig('FP16')).toBe('TYPE_FP16');
  expect(() => configDataType('TYPE_INVALID')).toThrow();
});
