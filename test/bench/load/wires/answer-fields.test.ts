import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FieldSectionReader } from '../../../../bench/load/wires/http2/answer-fields.js';
import { DumbEncoder, type EncodeChoice, type Pair } from '../../../transport/http2/hpack/dumb-hpack.js';

const pair: fc.Arbitrary<Pair> = fc.oneof(
  fc.constantFrom<Pair>([':status', '200'], ['grpc-status', '0'], ['grpc-status', '14'], ['grpc-message', 'gone']),
  fc.tuple(
    fc.constantFrom('grpc-message', 'grpc-encoding', 'server'),
    fc.string({ maxLength: 130, unit: 'binary-ascii' }),
  ),
);
const choice: fc.Arbitrary<EncodeChoice> = fc.record({
  as: fc.constantFrom('indexed', 'incremental', 'without', 'never'),
  huffman: fc.boolean(),
  useNameIndex: fc.boolean(),
});
/** Few, so that they come again; with a size for the table before some. */
const sections = fc.array(
  fc.tuple(fc.option(fc.constantFrom(0, 60, 4096), { freq: 8 }), fc.array(fc.tuple(pair, choice), { maxLength: 3 })),
  { minLength: 1, maxLength: 4 },
);

function expected(pairs: readonly Pair[]) {
  const last = (name: string) => pairs.findLast(([key]) => key === name)?.[1];
  return {
    httpStatus: Number(last(':status') ?? -1),
    grpcStatus: Number(last('grpc-status') ?? -1),
    grpcMessage: last('grpc-message') ?? '',
  };
}

test('sections that come again mean what they mean to the header table of that moment', () => {
  fc.assert(
    fc.property(sections, fc.array(fc.nat(3), { minLength: 10, maxLength: 60 }), (known, order) => {
      const encoder = new DumbEncoder();
      const reader = new FieldSectionReader();
      for (const nth of order) {
        const [size, fields] = known[nth % known.length]!;
        const update = size === null ? Buffer.alloc(0) : encoder.resize(size);
        const bytes = Buffer.concat([update, ...fields.map(([of, how]) => encoder.encode(of, how))]);
        expect(reader.read(bytes, 0, bytes.length)).toMatchObject(expected(fields.map(([of]) => of)));
      }
    }),
    { numRuns: 500 },
  );
});
