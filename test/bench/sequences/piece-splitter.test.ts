import { expect, test } from 'vitest';
import { PieceSplitter } from '../../../bench/sequences/piece-splitter.js';

/** Pieces that begin with their length. */
const bytes = Buffer.concat([1, 4, 2, 9].map((length) => Buffer.alloc(length, length)));
const sizeAt = (piece: Buffer, at: number) => piece[at]!;

test('pieces are whole wherever their bytes are cut, and begin where the chunk does', () => {
  for (let size = 1; size <= bytes.length; size++) {
    const found: string[] = [];
    const splitter = new PieceSplitter(sizeAt, (chunk, start, end) => found.push(chunk.toString('hex', start, end)));
    const padded = Buffer.concat([Buffer.of(99), bytes, Buffer.of(99)]);
    for (let at = 1; at <= bytes.length; at += size) splitter.feed(padded, at, Math.min(bytes.length + 1, at + size));
    expect(found).toEqual([1, 4, 2, 9].map((length) => Buffer.alloc(length, length).toString('hex')));
  }
});
