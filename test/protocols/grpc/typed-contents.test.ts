import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseInferRequest } from '../../../src/protocols/grpc/infer-message.js';
import { measureContents, writeContents } from '../../../src/protocols/grpc/typed-contents.js';
import type { DataType } from '../../../src/types/datatype.js';
import { encodeRequest, field, unknownField, varint } from './twin.js';

/** The tensor that `contents`, as it lies on the wire, stands for. */
function tensorOf(datatype: DataType, contents: Buffer[]): Buffer {
  const input = Buffer.concat([field(2, 2, Buffer.from(datatype)), ...contents.map((part) => field(5, 2, part))]);
  const message = field(5, 2, input);
  const wire = parseInferRequest(message, 0, message.length).inputs[0]!;
  const tensor = Buffer.alloc(measureContents(message, wire, 'm') + 16, 0xee);
  writeContents(message, wire.contents, datatype, tensor, 8);
  expect(tensor.subarray(0, 8)).toEqual(Buffer.alloc(8, 0xee));
  expect(tensor.subarray(-8)).toEqual(Buffer.alloc(8, 0xee));
  return tensor.subarray(8, -8);
}

/** One datatype: its list, what one element is on the wire, and in a tensor. */
interface Case {
  readonly datatype: DataType;
  readonly number: number;
  readonly wireType: number;
  readonly element: fc.Arbitrary<unknown>;
  wire(element: never): Buffer;
  bytes(element: never): Buffer;
}

const int = (datatype: DataType, number: number, bits: number, isSigned: boolean): Case => ({
  datatype,
  number,
  wireType: 0,
  element: fc.bigInt({ min: isSigned ? -(2n ** 63n) : 0n, max: isSigned ? 2n ** 63n - 1n : 2n ** 64n - 1n }),
  wire: (element: bigint) => varint(element),
  bytes: (element: bigint) => {
    const all = Buffer.alloc(8);
    all.writeBigUInt64LE(BigInt.asUintN(64, element));
    return all.subarray(0, bits / 8);
  },
});

const float = (datatype: DataType, number: number, wireType: number, size: number): Case => ({
  datatype,
  number,
  wireType,
  element: fc.uint8Array({ minLength: size, maxLength: size }),
  wire: (element: Uint8Array) => Buffer.from(element),
  bytes: (element: Uint8Array) => Buffer.from(element),
});

const cases: readonly Case[] = [
  {
    datatype: 'BOOL',
    number: 1,
    wireType: 0,
    element: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    wire: (element: bigint) => varint(element),
    bytes: (element: bigint) => Buffer.from([element === 0n ? 0 : 1]),
  },
  int('INT8', 2, 8, true),
  int('INT16', 2, 16, true),
  int('INT32', 2, 32, true),
  int('INT64', 3, 64, true),
  int('UINT8', 4, 8, false),
  int('UINT16', 4, 16, false),
  int('UINT32', 4, 32, false),
  int('UINT64', 5, 64, false),
  float('FP32', 6, 5, 4),
  float('FP64', 7, 1, 8),
  {
    datatype: 'BYTES',
    number: 8,
    wireType: 2,
    element: fc.uint8Array({ maxLength: 300 }),
    wire: (element: Uint8Array) => Buffer.from(element),
    bytes: (element: Uint8Array) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return Buffer.concat([length, element]);
    },
  },
];

describe.each(cases)('$datatype', ({ datatype, number, wireType, element, wire, bytes }) => {
  test('elements packed, unpacked, in several lists and between unknown fields make one tensor', () => {
    const run = fc.record({
      packed: fc.boolean(),
      elements: fc.array(element, { maxLength: 30 }),
      unknown: unknownField,
    });
    fc.assert(
      fc.property(fc.array(fc.array(run, { maxLength: 4 }), { minLength: 1, maxLength: 3 }), (messages) => {
        const contents = messages.map((runs) =>
          Buffer.concat(
            runs.flatMap(({ packed, elements, unknown }) => {
              const parts = elements.map((value) => wire(value as never));
              const isPacked = packed && wireType !== 2;
              const fields = isPacked
                ? [field(number, 2, Buffer.concat(parts))]
                : parts.map((part) => field(number, wireType, part));
              return [...fields, unknown];
            }),
          ),
        );
        const expected = messages.flat().flatMap(({ elements }) => elements.map((value) => bytes(value as never)));
        expect(tensorOf(datatype, contents).equals(Buffer.concat(expected))).toBe(true);
      }),
    );
  });
});

test('what protobufjs writes is understood', () => {
  const message = encodeRequest({
    inputs: [{ name: 'a', datatype: 'INT32', shape: [3], contents: { int_contents: [1, -1, 300] } }],
  });
  const wire = parseInferRequest(message, 0, message.length).inputs[0]!;
  const tensor = new Int32Array(3);
  expect(measureContents(message, wire, 'm')).toBe(12);
  writeContents(message, wire.contents, 'INT32', new Uint8Array(tensor.buffer), 0);
  expect([...tensor]).toEqual([1, -1, 300]);
});

describe('refused', () => {
  test.each([
    ['FP16', { fp32_contents: [1] }, "of type 'FP16', expected datatype 'FP32'"],
    ['BF16', { fp32_contents: [1] }, "of type 'BF16', expected datatype 'FP32'"],
    ['FP32', { fp64_contents: [1] }, "of type 'FP32', expected datatype 'FP64'"],
    ['INT64', { int_contents: [1] }, "of type 'INT64', expected datatype 'INT32'"],
    ['UINT8', { int_contents: [1] }, "of type 'UINT8', expected datatype 'INT32'"],
    ['nonsense', { bool_contents: [true] }, "of type '<invalid>', expected datatype 'BOOL'"],
    ['INT32', { int_contents: [1], bytes_contents: [Buffer.from('a')] }, 'binary data was already supplied.'],
  ])('%s by other lists than its own', (datatype, contents, text) => {
    const message = encodeRequest({ inputs: [{ name: 'x', datatype, shape: [1], contents }] });
    const wire = parseInferRequest(message, 0, message.length).inputs[0]!;
    expect(() => measureContents(message, wire, 'm')).toThrow(
      `unexpected explicit tensor data for input tensor 'x' for model 'm'`,
    );
    expect(() => measureContents(message, wire, 'm')).toThrow(text);
  });

  test.each([
    ['floats that are cut', 'FP32', field(6, 2, Buffer.alloc(7)), /packed numbers of 4 bytes take 7 bytes/],
    ['a packed varint without end', 'INT32', field(2, 2, Buffer.from([1, 0x80])), /a packed varint has no end/],
    [
      'a packed varint of 11 bytes',
      'INT32',
      field(2, 2, Buffer.concat([Buffer.alloc(10, 0x80), Buffer.from([1])])),
      /more than 10/,
    ],
  ] as const)('%s', (_, datatype, contents, text) => {
    expect(() => tensorOf(datatype, [contents])).toThrow(text);
  });
});
