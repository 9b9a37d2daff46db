import { expect, test } from 'vitest';
import { fillRandom } from '../../src/core/random-data.js';
import type { DataType } from '../../src/types/datatype.js';

function random(datatype: DataType, bytes: number): DataView {
  const target = new Uint8Array(new SharedArrayBuffer(bytes + 16)).subarray(8, 8 + bytes);
  fillRandom(target, datatype);
  return new DataView(target.buffer, 8, bytes);
}

const half = (bits: number) => 2 ** ((bits >> 10) - 15) * (1 + (bits & 1023) / 1024);

function brain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}

test.each([
  ['FP16', 2, (view: DataView, at: number) => half(view.getUint16(at, true))],
  ['BF16', 2, (view: DataView, at: number) => brain(view.getUint16(at, true))],
  ['FP32', 4, (view: DataView, at: number) => view.getFloat32(at, true)],
  ['FP64', 8, (view: DataView, at: number) => view.getFloat64(at, true)],
] as const)('%s is from 1 to below 2', (datatype, size, element) => {
  const view = random(datatype, 1000 * size);
  const values = Array.from({ length: 1000 }, (_, nth) => element(view, nth * size));
  expect(values.every((value) => value >= 1 && value < 2)).toBe(true);
  expect(new Set(values).size).toBeGreaterThan(50);
});

test('BOOL is 0 or 1', () => {
  const view = random('BOOL', 1000);
  expect([...new Set(new Uint8Array(view.buffer, 8, 1000))].sort()).toEqual([0, 1]);
});

test('integers are anything, and large tensors are filled to the end and not beyond', () => {
  const bytes = 3 * 64 * 1024 + 8;
  const view = random('INT64', bytes);
  expect(new Set(new Uint8Array(view.buffer, 8, 4096)).size).toBe(256);
  expect(view.getBigInt64(bytes - 8, true)).not.toBe(0n);
  expect([...new Uint8Array(view.buffer, bytes + 8)]).toEqual(Array(8).fill(0));
});

test('nothing is filled where there is nothing', () => {
  expect(random('FP32', 0).byteLength).toBe(0);
});
