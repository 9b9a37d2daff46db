import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFields, encodeFrequent, type Field } from '../../../../src/transport/http2/hpack/encoder.js';
import { TableEncoder } from '../../../../src/transport/http2/hpack/table-encoder.js';
import { Collector } from './collect.js';
import { DumbDecoder } from './dumb-hpack.js';

const head = encodeFrequent([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const trailers = encodeFrequent([['grpc-status', '0']]);

const field: fc.Arbitrary<Field> = fc.tuple(
  fc.constantFrom(':status', 'content-type', 'grpc-status', 'x-a', 'x-b', 'x-c'),
  fc.oneof(fc.constantFrom('200', '0', 'application/grpc'), fc.string({ maxLength: 2000, unit: 'binary-ascii' })),
);
const block = fc
  .tuple(fc.array(field, { maxLength: 5 }), fc.boolean())
  .map(([fields, isFrequent]) => ({ fields, block: isFrequent ? encodeFrequent(fields) : encodeFields(fields) }));

describe('RFC 7541, 2.3.3: frequent blocks of a connection', () => {
  test('are an octet for each field from the second time on', () => {
    const encoder = new TableEncoder();
    const hex = (nth: typeof head) => encoder.encode(nth).toString('hex');
    expect(encoder.encode(head)[1]).toBe(0x40 | 31);
    expect(encoder.encode(trailers)[0]).toBe(0x40);
    expect([hex(head), hex(trailers), hex(head), hex(trailers)]).toEqual(['88bf', 'be', '88bf', 'be']);
  });

  test('and others mean the same to a decoder that has seen all before them', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), fc.array(fc.nat(20), { maxLength: 40 }), (blocks, order) => {
        const encoder = new TableEncoder();
        const twin = new DumbDecoder();
        const decoder = new Collector();
        for (const nth of order) {
          if (nth >= blocks.length) {
            if (nth === 20) encoder.emptyTable();
            continue;
          }
          const bytes = encoder.encode(blocks[nth]!.block);
          expect(twin.decode(bytes)).toEqual(blocks[nth]!.fields);
          expect(decoder.decode(bytes)).toEqual(blocks[nth]!.fields);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('RFC 9113, 4.3.1: a header table that was made smaller', () => {
  test('is confirmed with the next block, of either kind, and not used any more', () => {
    const encoder = new TableEncoder();
    encoder.encode(head);
    encoder.emptyTable();
    const plain = encodeFields([[':status', '404']]);
    expect(encoder.encode(plain).toString('hex')).toBe(`20${plain.bytes.toString('hex')}`);
    expect(encoder.encode(head)).toEqual(head.bytes);
    expect(encoder.encode(head)).toEqual(head.bytes);
  });
});

test('RFC 7541, 4.1: what has no room in the table stays a literal', () => {
  const encoder = new TableEncoder();
  const large: Field = ['x', 'y'.repeat(3000)];
  const larger: Field = ['z', 'y'.repeat(3000)];
  const both = encodeFrequent([large, larger]);
  const twin = new DumbDecoder();
  for (let time = 0; time < 3; time++) expect(twin.decode(encoder.encode(both))).toEqual([large, larger]);
  expect(twin.table.entries).toEqual([large]);
});
