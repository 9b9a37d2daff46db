import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyBytes, copyWords } from '../../src/memory/copy.js';

const SIZE = 80_000;

/** Different bytes in each kind of memory. */
function memoryOf(kind: 'shared' | 'own' | 'buffer', seed: number): Uint8Array<ArrayBufferLike> {
  const memory = kind === 'shared' ? new Uint8Array(new SharedArrayBuffer(SIZE)) : new Uint8Array(SIZE);
  for (let i = 0; i < SIZE; i++) memory[i] = Math.imul(i + seed, 2_654_435_761) >>> 24;
  return kind === 'buffer' ? Buffer.from(memory.buffer) : memory;
}

const kind = fc.constantFrom('shared', 'own', 'buffer') satisfies fc.Arbitrary<'shared' | 'own' | 'buffer'>;
/** On both sides of each size at which another way is taken. */
const length = fc.oneof(fc.nat(200), fc.integer({ min: 15_990, max: 16_010 }), fc.nat(40_000));
const begin = fc.nat(30_000);

test('what is copied is what a loop copies, and nothing else is touched', () => {
  fc.assert(
    fc.property(kind, kind, length, begin, begin, fc.constantFrom(1, 4), (source, target, bytes, from, to, align) => {
      const [count, at, position] = [bytes, from, to].map((value) => value - (value % align)) as [
        number,
        number,
        number,
      ];
      const original = memoryOf(source, 1);
      const expected = memoryOf(target, 2);
      for (let i = 0; i < count; i++) expected[position + i] = original[at + i]!;

      const byBytes = memoryOf(target, 2);
      copyBytes(original, at, byBytes, position, count);
      expect(Buffer.compare(byBytes, expected)).toBe(0);

      const byWords = memoryOf(target, 2);
      copyWords(views(original), at, views(byWords), position, count);
      expect(Buffer.compare(byWords, expected)).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('the whole of an array is copied', () => {
  const target = new Uint8Array(new SharedArrayBuffer(SIZE));
  copyBytes(memoryOf('own', 1), 0, target, 0, SIZE);
  expect(Buffer.compare(target, memoryOf('own', 1))).toBe(0);
});

function views(bytes: Uint8Array) {
  return { bytes, words: new Int32Array(bytes.buffer, 0, SIZE / 4) };
}
