import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bestIndices } from '../../src/core/best-indices.js';
import { classify, fixedSix } from '../../src/core/classification.js';
import type { DataType } from '../../src/types/datatype.js';

type Elements = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array | BigUint64Array | Uint16Array;

function classesOf(
  datatype: DataType,
  values: Elements,
  shape: number[],
  k: number,
  options: { rows?: number; labels?: readonly string[]; offset?: number } = {},
): { shape: readonly number[]; texts: string[] } {
  const offset = options.offset ?? 0;
  const bytes = new Uint8Array(new SharedArrayBuffer(values.byteLength + offset)).subarray(offset);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const tensor = { name: 'OUT', datatype, shape, bytes };
  const found = classify(tensor, k, options.rows ?? null, options.labels ?? null);
  const buffer = Buffer.from(found.bytes);
  const texts: string[] = [];
  for (let at = 0; at < buffer.length; at += 4 + buffer.readUInt32LE(at)) {
    texts.push(buffer.toString('utf8', at + 4, at + 4 + buffer.readUInt32LE(at)));
  }
  return { shape: found.shape, texts };
}

test('the best classes of each row, best first, of equal ones the lower index first', () => {
  const values = Float32Array.of(1, 3, 3, 2, 9, 8, 7, 9);
  expect(classesOf('FP32', values, [2, 4], 3, { rows: 2 })).toEqual({
    shape: [2, 3],
    texts: ['3.000000:1', '3.000000:2', '2.000000:3', '9.000000:0', '9.000000:3', '8.000000:1'],
  });
});

test('without batches the whole tensor is one entry, of whatever rank', () => {
  expect(classesOf('INT32', Int32Array.of(5, -1, 7, 6), [2, 2], 2)).toEqual({ shape: [2], texts: ['7:2', '6:3'] });
  expect(classesOf('INT32', Int32Array.of(5), [], 2)).toEqual({ shape: [1], texts: ['5:0'] });
});

test('no more classes than there are elements', () => {
  expect(classesOf('UINT8', Uint8Array.of(1, 2), [2], 1000)).toEqual({ shape: [2], texts: ['2:1', '1:0'] });
  expect(classesOf('UINT8', Uint8Array.of(), [0], 3)).toEqual({ shape: [0], texts: [] });
});

test('labels follow where an index has one', () => {
  const options = { labels: ['zero', '', 'zwei ä'] };
  expect(classesOf('INT32', Int32Array.of(1, 2, 3, 4), [4], 4, options).texts).toEqual([
    '4:3',
    '3:2:zwei ä',
    '2:1',
    '1:0:zero',
  ]);
});

test('64-bit integers are exact, bytes need not be aligned', () => {
  const unsigned = BigUint64Array.of(2n ** 64n - 1n, 2n ** 53n + 1n, 0n);
  expect(classesOf('UINT64', unsigned, [3], 3, { offset: 3 }).texts).toEqual([
    '18446744073709551615:0',
    '9007199254740993:1',
    '0:2',
  ]);
  const signed = BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n);
  expect(classesOf('INT64', signed, [2], 2, { offset: 1 }).texts).toEqual([
    '9223372036854775807:1',
    '-9223372036854775808:0',
  ]);
});

test('infinities and NaN have the names of C++, NaN comes last', () => {
  const values = Float64Array.of(Number.NaN, -1 / 0, 1, 1 / 0, Number.NaN);
  expect(classesOf('FP64', values, [5], 5).texts).toEqual(['inf:3', '1.000000:2', '-inf:1', 'nan:0', 'nan:4']);
});

test.each(['BOOL', 'BYTES', 'FP16', 'BF16'] as const)('%s has no classes', (datatype) => {
  expect(() => classesOf(datatype, Uint16Array.of(1), [1], 1)).toThrow(
    `class result not available for output due to unsupported type '${datatype}'`,
  );
});

test('more than a million elements in an entry are refused, a million are not', () => {
  const values = new Uint8Array(1_000_001);
  expect(() => classesOf('UINT8', values, [1_000_001], 1)).toThrow('classification output tensor too large');
  expect(classesOf('UINT8', values.subarray(1), [1, 1_000_000], 1, { rows: 1 })).toEqual({
    shape: [1, 1],
    texts: ['0:0'],
  });
});

describe('six decimals', () => {
  test.each<[number, string]>([
    [123456.7890625, '123456.789062'],
    [123456.7890635, '123456.789063'],
    [0.5, '0.500000'],
    [0.0000005, '0.000000'],
    [0.0000015, '0.000002'],
    [0.1171875, '0.117188'],
    [0.00000762939453125, '0.000008'],
    [1 + 2 ** -20, '1.000001'],
    [0.0009765625, '0.000977'],
    [0.0029296875, '0.002930'],
    [-0.0000001, '-0.000000'],
    [-0, '-0.000000'],
    [1e22, '10000000000000000000000.000000'],
    [1e23, '99999999999999991611392.000000'],
    [2 ** 1023, `${2n ** 1023n}.000000`],
    [Number.MIN_VALUE, '0.000000'],
  ])('of %d are %s', (value, text) => {
    expect(fixedSix(value)).toBe(text);
  });

  test('ties go to the even digit', () => {
    // Odd multiples of 2^-7 end in 5 at the seventh decimal, exactly.
    for (let odd = 1; odd < 128; odd += 2) {
      const millionths = Math.floor((odd * 1e6) / 128);
      const even = millionths % 2 === 0 ? millionths : millionths + 1;
      expect(fixedSix(odd / 128)).toBe(`0.${String(even).padStart(6, '0')}`);
    }
  });

  test('are those of toFixed where there is no tie', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e20, max: 1e20 }), (value) => {
        if (!Number.isInteger(Math.abs(value) * 2 ** 7)) {
          expect(fixedSix(value).replace(/^-(0\.0+)$/, '$1')).toBe(value.toFixed(6).replace(/^-(0\.0+)$/, '$1'));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('the best indices are those of a full sort', () => {
  const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.NaN, 1 / 0, -1 / 0, -0));
  fc.assert(
    fc.property(fc.array(value), fc.nat(20), (values, count) => {
      const rank = (each: number): number => (Number.isNaN(each) ? -Number.MAX_VALUE * 2 - 1 : each);
      const sorted = values
        .map((each, index) => ({ each, index }))
        .sort((a, b) => {
          if (Number.isNaN(a.each) !== Number.isNaN(b.each)) return Number.isNaN(a.each) ? 1 : -1;
          return rank(a.each) === rank(b.each) ? a.index - b.index : rank(b.each) - rank(a.each);
        });
      const most = Math.min(count, values.length);
      expect(bestIndices(values, most)).toEqual(sorted.slice(0, most).map(({ index }) => index));
    }),
    { numRuns: 2000 },
  );
});
