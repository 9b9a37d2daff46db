import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFields } from '../../../../src/transport/http2/hpack/encoder.js';
import { Collector } from './collect.js';
import { DumbDecoder, type Pair } from './dumb-hpack.js';

const pairs = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom(':status', 'content-type', 'grpc-message'), fc.stringMatching(/^[a-z0-9-]{1,20}$/)),
    fc.oneof(fc.constantFrom('200', ''), fc.string({ maxLength: 300, unit: 'binary-ascii' })),
  ),
  { maxLength: 10 },
);

describe('prepared blocks', () => {
  test('fields of the static table are one octet', () => {
    expect(encodeFields([[':status', '200']]).bytes.toString('hex')).toBe('88');
  });

  test('Huffman code is used where it is shorter', () => {
    expect(encodeFields([['a', 'www.example.com']]).bytes.length).toBe(1 + 2 + 13);
    expect(encodeFields([['a', '{}{}']]).bytes.length).toBe(1 + 2 + 5);
  });

  test('are the same to every decoder, and leave its table alone', () => {
    fc.assert(
      fc.property(pairs, (fields: Pair[]) => {
        const { bytes } = encodeFields(fields);
        const twin = new DumbDecoder();
        expect(twin.decode(bytes)).toEqual(fields);
        expect(twin.table.entries).toEqual([]);
        expect(new Collector(1 << 16).decode(bytes)).toEqual(fields);
      }),
      { numRuns: 300 },
    );
  });
});
