import { describe, expect, test } from 'vitest';
import type { TensorData } from '../../../../bench/load/data/data-set.js';
import { type FixedElement, type FixedType, packElements, packStrings } from '../../../../bench/load/data/elements.js';
import type { AnswerBytes } from '../../../../bench/load/encode/answer-outputs.js';
import { checkAnswer } from '../../../../bench/load/encode/check-answer.js';
import { MessageType } from '../../../../src/protocols/grpc/proto.js';
import type { DataType } from '../../../../src/types/datatype.js';

type Elements = readonly (FixedElement | string)[];

function output(datatype: DataType, shape: readonly number[], elements: Elements, name = 'OUT'): TensorData {
  const bytes =
    datatype === 'BYTES' ? packStrings(elements as string[]) : packElements(datatype, elements as FixedElement[]);
  return { name, datatype, shape, bytes };
}

function whole(bytes: Uint8Array, jsonBytes = -1): AnswerBytes {
  // Somewhere in a larger buffer, as answers lie.
  const around = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')]);
  return { bytes: around, start: 2, end: 2 + bytes.length, jsonBytes };
}

function binary(outputs: readonly TensorData[]): AnswerBytes {
  const heads = outputs.map(({ name, datatype, shape, bytes }) => ({
    name,
    datatype,
    shape,
    parameters: { binary_data_size: bytes.length },
  }));
  const json = Buffer.from(JSON.stringify({ model_name: 'm', outputs: heads }));
  return whole(Buffer.concat([json, ...outputs.map(({ bytes }) => bytes)]), json.length);
}

function json(datatype: DataType, shape: readonly number[], data: string): AnswerBytes {
  return whole(Buffer.from(`{"outputs":[{"name":"OUT","datatype":"${datatype}","shape":[${shape}],"data":${data}}]}`));
}

function message(content: object): AnswerBytes {
  return whole(new MessageType('inference.ModelInferResponse').encode(content));
}

const problem = (expected: TensorData, answer: AnswerBytes, protocol: 'http' | 'ws' | 'grpc' = 'http') =>
  checkAnswer(protocol, [expected], answer)?.message ?? null;

describe('the same however it came', () => {
  const cases: readonly [DataType, Elements, string, object | null][] = [
    ['BOOL', [true, false], '[true,false]', { bool_contents: [true, false] }],
    ['INT8', [-128, 127], '[-128,127]', { int_contents: [-128, 127] }],
    ['UINT16', [0, 65535], '[0,65535]', { uint_contents: [0, 65535] }],
    ['INT32', [-1, 2], '[-1,2]', { int_contents: [-1, 2] }],
    [
      'INT64',
      [-(2n ** 63n), 2n ** 63n - 1n],
      '[-9223372036854775808,9223372036854775807]',
      { int64_contents: [-(2n ** 63n), 2n ** 63n - 1n] },
    ],
    ['UINT64', [2n ** 64n - 1n, 0n], '[18446744073709551615,0]', { uint64_contents: [2n ** 64n - 1n, 0] }],
    ['FP16', [0.5, -2], '[0.5,-2]', null],
    ['FP32', [0.1, Number.POSITIVE_INFINITY], '[0.1,Infinity]', { fp32_contents: [0.1, Number.POSITIVE_INFINITY] }],
    ['FP64', [0.1, Number.NaN], '[0.1,NaN]', { fp64_contents: [0.1, Number.NaN] }],
    ['BYTES', ['ä', ''], '["ä",""]', { bytes_contents: [Buffer.from('ä'), Buffer.alloc(0)] }],
  ];

  test.each(cases)('%s', (datatype, elements, text, contents) => {
    const right = output(datatype, [2], elements);
    const wrong = output(datatype, [2], [elements[1]!, elements[0]!]);
    const head = { name: 'OUT', datatype, shape: [2] };
    const answers: [AnswerBytes, 'http' | 'ws' | 'grpc'][] = [
      [binary([right]), 'http'],
      [binary([right]), 'ws'],
      [json(datatype, [2], text), 'http'],
      [json(datatype, [2], text), 'ws'],
      [message({ outputs: [head], raw_output_contents: [right.bytes] }), 'grpc'],
    ];
    if (contents !== null) answers.push([message({ outputs: [{ ...head, contents }] }), 'grpc']);
    for (const [answer, protocol] of answers) {
      expect(problem(right, answer, protocol)).toBeNull();
      expect(problem(wrong, answer, protocol)).toMatch(/^output 'OUT': element \[0\]: expected .+, found .+$/);
    }
  });
});

test('the message says where, what was expected and what was found', () => {
  const expected = output('INT32', [2, 3], [1, 2, 3, 4, 5, 6]);
  const answer = binary([output('INT32', [2, 3], [1, 2, 3, 4, 50, 6])]);
  expect(checkAnswer('http', [expected], answer)).toEqual({
    kind: 'wrong output',
    message: "output 'OUT': element [1,1]: expected 5, found 50",
  });
  const words = output('BYTES', [1], ['yes']);
  expect(problem(words, binary([output('BYTES', [1], ['no'])]))).toBe(
    'output \'OUT\': element [0]: expected "yes", found "no"',
  );
});

test('only outputs that are expected are looked at, by name and not by order', () => {
  const answer = binary([output('INT32', [1], [9], 'OTHER'), output('INT32', [1], [1])]);
  expect(problem(output('INT32', [1], [1]), answer)).toBeNull();
  expect(problem(output('INT32', [1], [9]), answer)).toContain('expected 9, found 1');
});

test('another datatype, another shape, no such output', () => {
  const answer = binary([output('INT32', [2], [1, 2])]);
  expect(problem(output('FP32', [2], [1, 2]), answer)).toBe("output 'OUT': expected FP32, found INT32");
  expect(problem(output('INT32', [1, 2], [1, 2]), answer)).toBe("output 'OUT': expected the shape [1,2], found [2]");
  expect(problem(output('INT32', [2], [1, 2], 'GONE'), answer)).toBe("output 'GONE': it is not in the answer");
});

test('outputs in shared memory are not in the answer, nor do they push others aside', () => {
  const right = output('INT32', [1], [5]);
  const region = {
    name: 'FAR',
    datatype: 'INT32',
    shape: [1],
    parameters: { shared_memory_region: { string_param: 'r' } },
  };
  const head = { name: 'OUT', datatype: 'INT32', shape: [1] };
  const answer = message({ outputs: [region, head], raw_output_contents: [right.bytes] });
  expect(problem(right, answer, 'grpc')).toBeNull();
  const text = `{"outputs":[{"name":"FAR","datatype":"INT32","shape":[1],"parameters":{"shared_memory_region":"r"}},{"name":"OUT","datatype":"INT32","shape":[1],"data":[5]}]}`;
  expect(problem(right, whole(Buffer.from(text)))).toBeNull();
});

describe('numbers that are near to each other', () => {
  const cases: readonly [FixedType, number, number, boolean][] = [
    ['FP32', 1, 1.000005, true],
    ['FP32', 1, 1.00002, false],
    ['FP32', 1e6, 1e6 + 5, true],
    ['FP32', 0, 1e-9, true],
    ['FP32', 0, 1e-7, false],
    ['FP32', 1, -1, false],
    ['FP64', 1e300, 1.000005e300, true],
    ['FP16', 1, 1 + 2 ** -10, true],
    ['FP16', 1, 1 + 2 ** -8, false],
    ['BF16', 1, 1 + 2 ** -7, true],
    ['BF16', 1, 1 + 2 ** -5, false],
    ['FP32', Number.POSITIVE_INFINITY, 3e38, false],
    ['FP32', 3e38, Number.POSITIVE_INFINITY, false],
    ['FP32', Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, false],
    ['FP32', 1, Number.NaN, false],
    ['FP32', Number.NaN, 1, false],
    ['FP32', Number.NaN, Number.NaN, true],
    ['FP32', 0, -0, true],
    ['INT32', 1_000_000, 1_000_001, false],
  ];

  test.each(cases)('%s: %d and %d: %s', (datatype, wanted, found, isRight) => {
    const answer = binary([output(datatype, [1], [found])]);
    expect(problem(output(datatype, [1], [wanted]), answer) === null).toBe(isRight);
  });
});

describe('an answer that cannot be read', () => {
  const right = output('INT32', [2], [1, 2]);
  const cases: readonly [string, AnswerBytes, 'http' | 'grpc', RegExp][] = [
    [
      'no JSON',
      whole(Buffer.from('nonsense')),
      'http',
      /^the answer, line 1, column 1: this is no JSON: Invalid value\.$/,
    ],
    ['no outputs', whole(Buffer.from('{}')), 'http', /^the answer has no 'outputs'$/],
    [
      'too few bytes',
      { ...binary([right]), end: binary([right]).end - 3 },
      'http',
      /^output 'OUT' has 8 bytes, of which 5 came$/,
    ],
    [
      'a datatype of its own',
      whole(Buffer.from('{"outputs":[{"name":"OUT","datatype":"X","shape":[1],"data":[1]}]}')),
      'http',
      /datatype X$/,
    ],
    [
      'too few elements',
      json('INT32', [2], '[1]'),
      'http',
      /^output 'OUT': expected 2 elements for the shape \[2\], found 1$/,
    ],
    ['no message', whole(Buffer.from([0x0a, 0xff])), 'grpc', /./],
    [
      'a raw content too few',
      message({
        outputs: [
          { name: 'A', datatype: 'INT32', shape: [1] },
          { name: 'OUT', datatype: 'INT32', shape: [2] },
        ],
        raw_output_contents: [right.bytes],
      }),
      'grpc',
      /^output 'OUT' has no contents: there are 1 raw ones$/,
    ],
    [
      'fewer elements than its shape says',
      message({ outputs: [{ name: 'OUT', datatype: 'INT32', shape: [2] }], raw_output_contents: [Buffer.alloc(4)] }),
      'grpc',
      /^output 'OUT': expected 2 elements, found 1$/,
    ],
  ];

  test.each(cases)('%s', (_, answer, protocol, text) => {
    expect(checkAnswer(protocol, [right], answer)).toEqual({
      kind: 'wrong output',
      message: expect.stringMatching(text),
    });
  });
});
