import { randomFillSync } from 'node:crypto';
import { type DataType, elementBytes } from '../types/datatype.js';

/** A multiple of every element; larger targets repeat it. */
const BLOCK_BYTES = 64 * 1024;

/** Of the upper 16 bits of a floating-point number: those of its mantissa, and the number 1. */
const floats: { readonly [datatype in DataType]?: readonly [mantissa: number, one: number] } = {
  FP16: [0x03ff, 0x3c00],
  BF16: [0x007f, 0x3f80],
  FP32: [0x007f, 0x3f80],
  FP64: [0x000f, 0x3ff0],
};

/**
 * Fills memory with random elements of fixed size: integers of any value, booleans, and floating-point numbers from 1 to below 2 (any
 * bits could be NaN, or too small to be fast).
 */
export function fillRandom(target: Uint8Array, datatype: DataType): void {
  const block = Buffer.alloc(Math.min(target.length, BLOCK_BYTES));
  randomFillSync(block);
  if (datatype === 'BOOL') for (let at = 0; at < block.length; at++) block[at]! &= 1;
  const [mantissa, one] = floats[datatype] ?? [0xffff, 0];
  const size = elementBytes[datatype];
  for (let at = size - 2; size > 1 && at < block.length; at += size) {
    block.writeUInt16LE((block.readUInt16LE(at) & mantissa) | one, at);
  }
  for (let at = 0; at < target.length; at += block.length) {
    target.set(block.subarray(0, target.length - at), at);
  }
}
