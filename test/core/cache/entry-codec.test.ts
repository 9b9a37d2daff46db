import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeEntry, encodeEntry } from '../../../src/core/cache/entry-codec.js';

const output = fc.record({
  shape: fc.array(fc.nat({ max: 2 ** 31 }), { maxLength: 4 }),
  bytes: fc.uint8Array({ maxLength: 40 }),
});
const entry = fc.record({ isFixed: fc.boolean(), outputs: fc.array(fc.option(output), { maxLength: 4 }) });

test('what was written is read', () => {
  fc.assert(
    fc.property(entry, (written) => {
      const read = decodeEntry(encodeEntry(written))!;
      expect(read.isFixed).toBe(written.isFixed);
      const plain = (outputs: typeof read.outputs) =>
        outputs.map((one) => one && { shape: [...one.shape], bytes: [...one.bytes] });
      expect(plain(read.outputs)).toEqual(plain(written.outputs));
    }),
  );
});

test('a part of it is nothing, and so is anything else', () => {
  const whole = encodeEntry({ isFixed: true, outputs: [{ shape: [2], bytes: Uint8Array.of(1, 2) }, null] });
  for (let length = 0; length < whole.length; length++) expect(decodeEntry(whole.subarray(0, length))).toBe(null);
  expect(decodeEntry(Buffer.concat([whole, Buffer.of(0)]))).toBe(null);
  const head = (text: string) => Buffer.concat([Buffer.of(1, text.length, 0, 0, 0), Buffer.from(text)]);
  for (const text of [
    '',
    '{}',
    '[]',
    'null',
    '{"outputs":5}',
    '{"outputs":[5]}',
    '{"outputs":[{"shape":[-1],"bytes":0}]}',
  ])
    expect(decodeEntry(head(text)), text).toBe(null);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(decodeEntry(Buffer.concat([Buffer.of(1), bytes]))?.outputs ?? []).toEqual([]);
    }),
  );
});
