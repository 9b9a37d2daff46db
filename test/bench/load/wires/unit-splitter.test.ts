import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnitSplitter } from '../../../../bench/load/wires/unit-splitter.js';

/** A unit begins with one byte that says how many bytes of length follow, then the length of the rest, then the rest. */
function unit(width: number, rest: Buffer): Buffer {
  const head = Buffer.alloc(1 + width);
  head[0] = width;
  head.writeUIntBE(rest.length, 1, width);
  return Buffer.concat([head, rest]);
}

function unitBytes(bytes: Buffer, at: number, available: number): number {
  const width = bytes[at]!;
  return available <= width ? 0 : 1 + width + bytes.readUIntBE(at + 1, width);
}

const units = fc.array(
  fc
    .tuple(fc.integer({ min: 2, max: 6 }), fc.uint8Array({ maxLength: 300 }))
    .map(([width, rest]) => unit(width, Buffer.from(rest))),
  { maxLength: 12 },
);

test('units come out whole and in order, wherever they are cut', () => {
  fc.assert(
    fc.property(units, fc.array(fc.integer({ min: 1, max: 400 })), (list, sizes) => {
      const seen: string[] = [];
      const splitter = new UnitSplitter(unitBytes, (bytes, start, end) => seen.push(bytes.toString('hex', start, end)));
      const all = Buffer.concat(list);
      let at = 0;
      for (const size of [...sizes, all.length]) {
        // In memory that is written over afterwards, as that of a socket is.
        const piece = Buffer.from(all.subarray(at, at + size));
        if (piece.length > 0) splitter.feed(Buffer.concat([Buffer.of(9), piece]), 1, piece.length + 1);
        piece.fill(0xff);
        at += piece.length;
      }
      expect(seen).toEqual(list.map((bytes) => bytes.toString('hex')));
      expect(splitter.isWithin).toBe(false);
    }),
  );
});

test('once stopped it tells nothing more', () => {
  const seen: number[] = [];
  const bytes = Buffer.concat([unit(2, Buffer.from('a')), unit(2, Buffer.from('b'))]);
  const splitter = new UnitSplitter(unitBytes, (_bytes, start) => {
    seen.push(start);
    splitter.isStopped = true;
  });
  splitter.feed(bytes, 0, bytes.length);
  expect(seen).toEqual([0]);
});
