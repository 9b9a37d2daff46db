import { expect, test } from 'vitest';
import { tensorText } from '../../../src/telemetry/trace/tensor-text.js';
import { toHalf } from '../../../src/types/half.js';

const bytesOf = (array: { buffer: ArrayBufferLike }) => new Uint8Array(array.buffer);

test.each([
  ['BOOL', Uint8Array.of(1, 0), '1,0'],
  ['INT8', Int8Array.of(-1, 2), '-1,2'],
  ['UINT64', BigUint64Array.of(2n ** 64n - 1n), '18446744073709551615'],
  ['INT64', BigInt64Array.of(-5n), '-5'],
  ['FP32', Float32Array.of(0.5, -2), '0.5,-2'],
  ['FP16', Uint16Array.of(toHalf(1.5)), '1.5'],
  ['BF16', Uint16Array.of(0x3fc0), '1.5'],
  ['INT32', new Int32Array(0), ''],
] as const)('elements of %s', (datatype, array, text) => {
  expect(tensorText(datatype, bytesOf(array))).toBe(text);
});

test('strings are in quotes', () => {
  const bytes = Buffer.concat([Buffer.of(2, 0, 0, 0), Buffer.from('ab'), Buffer.of(0, 0, 0, 0)]);
  expect(tensorText('BYTES', bytes)).toBe('"ab",""');
});
