import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Model } from '../../../src/core/model.js';
import { ClientRegions } from '../../../src/core/regions/client-regions.js';
import { InferReader } from '../../../src/protocols/grpc/infer-reader.js';
import { idleModel, inputText, nobody, serverOf, takeInputs } from './idle-model.js';
import { encodeRequest, type TwinRequest } from './twin.js';

const numbers = idleModel('numbers', 4, inputText('A', 'INT32', '2') + inputText('B', 'UINT8', '3'));
const strings = idleModel('strings', 0, inputText('S', 'STRING'));
const bytesOf = (text: string) => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  return Buffer.concat([head, Buffer.from(text)]);
};

function numbersRequest(id: string, fill: number, rest: TwinRequest = {}): TwinRequest {
  return {
    model_name: 'numbers',
    ...(id === '' ? {} : { id }),
    inputs: [
      { name: 'A', datatype: 'INT32', shape: [1, 2] },
      { name: 'B', datatype: 'UINT8', shape: [1, 3] },
    ],
    raw_input_contents: [Buffer.alloc(8, fill), Buffer.alloc(3, fill + 1)],
    ...rest,
  };
}

/** Reads a message as a call would; the copies of its inputs, and its id. */
function take(reader: InferReader, message: Buffer) {
  reader.read(message);
  const { model } = reader.prepared;
  const request = model.admit(reader.plan, reader.sizes, nobody);
  reader.sizes.forEach((_, nth) => {
    reader.copyInput(message, nth, model.arena.bytes, request.inputBegin(nth));
  });
  const id = message.toString('utf8', reader.idBegin, reader.idEnd);
  return { id, planId: request.plan.head.id, prepared: reader.prepared, inputs: takeInputs(request) };
}

describe('a message that repeats', () => {
  test('is known again, whatever its id and its tensors', () => {
    const reader = new InferReader(serverOf(numbers));
    const first = take(reader, encodeRequest(numbersRequest('', 1)));
    for (const [id, fill] of [
      ['', 2],
      ['a', 3],
      ['longer', 4],
      ['\u{1f600}', 5],
      ['', 6],
    ] as const) {
      const next = take(reader, encodeRequest(numbersRequest(id, fill)));
      expect(next.prepared).toBe(first.prepared);
      expect(next.id).toBe(id);
      expect(next.inputs).toEqual([Buffer.alloc(8, fill), Buffer.alloc(3, fill + 1)]);
    }
  });

  test('is another where anything else differs', () => {
    const reader = new InferReader(serverOf(numbers));
    const { prepared } = take(reader, encodeRequest(numbersRequest('a', 1)));
    const others: TwinRequest[] = [
      { outputs: [{ name: 'Z' }] },
      { parameters: { priority: { int64_param: 1 } } },
      { model_version: '1' },
    ];
    for (const other of others) {
      expect(take(reader, encodeRequest(numbersRequest('a', 1, other))).prepared).not.toBe(prepared);
    }
    expect(take(reader, encodeRequest(numbersRequest('b', 1))).prepared).toBe(prepared);
  });

  test('keeps its own id in what is said of its strings', () => {
    const reader = new InferReader(serverOf(strings));
    const message = (id: string, text: string) =>
      encodeRequest({
        model_name: 'strings',
        id,
        inputs: [{ name: 'S', datatype: 'BYTES', shape: [1] }],
        raw_input_contents: [bytesOf(text)],
      });
    for (const [id, text] of [
      ['a', 'x'],
      ['b', 'longer'],
      ['c', ''],
    ] as const) {
      expect(take(reader, message(id, text))).toMatchObject({ id, planId: id, inputs: [bytesOf(text)] });
    }
  });

  test('belongs to the model that is there now', () => {
    const models: Model[] = [numbers];
    const reader = new InferReader({ find: () => models[0]!, regions: new ClientRegions(false) } as never);
    take(reader, encodeRequest(numbersRequest('', 1)));
    models[0] = idleModel('numbers', 4, inputText('A', 'INT32', '2') + inputText('B', 'UINT8', '3'));
    expect(take(reader, encodeRequest(numbersRequest('', 1))).prepared.model).toBe(models[0]);
    expect(take(reader, encodeRequest(numbersRequest('', 1))).prepared.model).toBe(models[0]);
  });
});

test('raw entries of another size are refused, also when the head is known', () => {
  const reader = new InferReader(serverOf(numbers));
  const wrong = encodeRequest(numbersRequest('x', 1, { raw_input_contents: [Buffer.alloc(9), Buffer.alloc(3)] }));
  for (const round of [1, 2]) {
    expect(() => reader.read(wrong), `${round}`).toThrow(
      "[request id: x] input byte size mismatch for input 'A' for model 'numbers'. Expected 8, got 9",
    );
    expect(wrong.toString('utf8', reader.idBegin, reader.idEnd)).toBe('x');
    take(reader, encodeRequest(numbersRequest('y', 1)));
  }
});

test('too few raw entries are missed, more than inputs are not looked at', () => {
  const reader = new InferReader(serverOf(numbers));
  const few = numbersRequest('', 1, { raw_input_contents: [Buffer.alloc(8)] });
  expect(() => reader.read(encodeRequest(few))).toThrow(
    "unable to find data for input tensor 'B' for model 'numbers' in request.",
  );
  const many = numbersRequest('', 1, { raw_input_contents: [8, 3, 5].map((size) => Buffer.alloc(size, size)) });
  for (const _ of [1, 2]) {
    expect(take(reader, encodeRequest(many)).inputs).toEqual([Buffer.alloc(8, 8), Buffer.alloc(3, 3)]);
  }
});

test('typed contents are read, and never beside raw entries', () => {
  const reader = new InferReader(serverOf(numbers));
  const inputs = [
    { name: 'A', datatype: 'INT32', shape: [1, 2], contents: { int_contents: [1, -2] } },
    { name: 'B', datatype: 'UINT8', shape: [1, 3], contents: { uint_contents: [1, 2, 255] } },
  ];
  const typed = numbersRequest('t', 0, { inputs, raw_input_contents: [] });
  const { id, inputs: read } = take(reader, encodeRequest(typed));
  expect(id).toBe('t');
  expect(read).toEqual([Buffer.from('01000000feffffff', 'hex'), Buffer.from([1, 2, 255])]);
  expect(() => reader.read(encodeRequest(numbersRequest('', 0, { inputs })))).toThrow(
    "contents field must not be specified when using raw_input_contents for 'A' for model 'numbers'",
  );
});

test('an input may have contents without elements', () => {
  const empty = idleModel('empty', 0, inputText('A', 'FP32'));
  const reader = new InferReader(serverOf(empty));
  const inputs = [{ name: 'A', datatype: 'FP32', shape: [0], contents: {} }];
  expect(take(reader, encodeRequest({ model_name: 'empty', inputs })).inputs).toEqual([Buffer.alloc(0)]);
});

test('contents without elements beside raw entries say nothing, as MLServer writes them', () => {
  const reader = new InferReader(serverOf(numbers));
  const inputs = [
    { name: 'A', datatype: 'INT32', shape: [1, 2], contents: {} },
    { name: 'B', datatype: 'UINT8', shape: [1, 3], contents: {} },
  ];
  for (const id of ['a', 'b']) {
    const read = take(reader, encodeRequest(numbersRequest(id, 1, { inputs })));
    expect(read).toEqual(take(reader, encodeRequest(numbersRequest(id, 1))));
  }
});

describe('parameters', () => {
  const read = (parameters: TwinRequest['parameters']) => {
    const reader = new InferReader(serverOf(numbers));
    reader.read(encodeRequest(numbersRequest('', 1, { parameters: parameters! })));
    return reader.plan.head;
  };

  test('with a meaning have it, the others are handed on', () => {
    const head = read({
      sequence_id: { int64_param: 7 },
      sequence_start: { bool_param: true },
      sequence_end: { bool_param: false },
      priority: { uint64_param: 2 },
      timeout: { int64_param: 1000 },
      triton_enable_empty_final_response: { bool_param: true },
      binary_data_output: { bool_param: false },
      a: { string_param: 'x' },
      b: { double_param: 0.5 },
      c: { int64_param: '-9223372036854775808' },
    });
    expect(head).toMatchObject({
      sequenceId: 7,
      sequenceStart: true,
      sequenceEnd: false,
      priority: 2,
      timeoutUs: 1000,
    });
    const custom: [string, unknown][] = [
      ['a', 'x'],
      ['b', 0.5],
      ['binary_data_output', false],
      ['c', -(2n ** 63n)],
    ];
    expect(new Map([...head.parameters].sort())).toEqual(new Map(custom));
  });

  test('a sequence id may be a text, and a negative one wraps', () => {
    expect(read({ sequence_id: { string_param: 'abc' } }).sequenceId).toBe('abc');
    expect(read({ sequence_id: { int64_param: -2 } }).sequenceId).toBe(2n ** 64n - 2n);
    expect(() => read({ sequence_id: { string_param: 'x'.repeat(129) } })).toThrow(
      'string correlation ID cannot be longer than 128 characters',
    );
  });

  test.each([
    [
      'sequence_id',
      { bool_param: true },
      "invalid value type for 'sequence_id' parameter, expected int64_param or string_param.",
    ],
    ['sequence_start', { int64_param: 1 }, "invalid value type for 'sequence_start' parameter, expected bool_param."],
    ['priority', { int64_param: -1 }, "invalid value for 'priority', expected value >= 0."],
    [
      'priority',
      { string_param: '' },
      "invalid value type for 'priority' parameter, expected int64_param or uint64_param.",
    ],
    ['timeout', { uint64_param: 1 }, "invalid value type for 'timeout' parameter, expected int64_param."],
    [
      'triton_x',
      { bool_param: true },
      "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: triton_enable_empty_final_response",
    ],
    [
      'x',
      { uint64_param: 1 },
      "invalid value type for 'x' parameter, expected int64_param, bool_param, or string_param.",
    ],
    ['x', {}, "invalid value type for 'x' parameter, expected int64_param, bool_param, or string_param."],
  ])('%s as %j is refused', (key, value, text) => {
    expect(() => read({ [key]: value })).toThrow(text);
  });

  test.each([
    [{ bool_param: true }, "invalid value type for 'classification' parameter, expected int64_param"],
    [{ int64_param: 0 }, "invalid value for 'classification' parameter, expected >= 0"],
    [{ int64_param: -1 }, "invalid value for 'classification' parameter, expected >= 0"],
  ])('classification as %j is refused', (classification, text) => {
    const reader = new InferReader(serverOf(numbers));
    const outputs = [{ name: 'Z', parameters: { classification } }];
    expect(() => reader.read(encodeRequest(numbersRequest('', 1, { outputs })))).toThrow(text);
  });
});

test.each([
  [
    'an input twice',
    { inputs: ['A', 'A'].map((name) => ({ name, datatype: 'INT32', shape: [1, 2] })) },
    "[request id: i] input 'A' already exists in request",
  ],
  ['an output twice', { outputs: [{ name: 'Z' }, { name: 'Z' }] }, "output 'Z' already exists in request"],
  [
    'a negative dimension',
    {
      inputs: [
        { name: 'A', datatype: 'INT32', shape: [1, -1] },
        { name: 'B', datatype: 'UINT8', shape: [1, 3] },
      ],
    },
    "[request id: i] All input dimensions should be specified for input 'A' for model 'numbers', got [1,-1]",
  ],
  [
    'a huge shape',
    { inputs: [{ name: 'A', datatype: 'INT32', shape: ['1', '9007199254740993'] }] },
    "invalid shape for input 'A'",
  ],
  [
    'shared memory',
    {
      inputs: [
        { name: 'A', datatype: 'INT32', shape: [1, 2], parameters: { shared_memory_region: { string_param: 'r' } } },
      ],
    },
    'shared memory of clients is off',
  ],
] as const)('%s is refused', (_, rest, text) => {
  expect(() => new InferReader(serverOf(numbers)).read(encodeRequest(numbersRequest('i', 1, rest)))).toThrow(text);
});

test('any change of a byte of a known message is noticed or understood as it is', () => {
  const reader = new InferReader(serverOf(numbers));
  const message = encodeRequest(numbersRequest('abc', 1, { outputs: [{ name: 'Z' }] }));
  const outcome = (of: InferReader, bytes: Buffer) => {
    try {
      const { id, inputs } = take(of, bytes);
      return { id, inputs };
    } catch (error) {
      return String(error);
    }
  };
  fc.assert(
    fc.property(fc.nat({ max: message.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      take(reader, message);
      const changed = Buffer.from(message);
      changed[at] = value;
      expect(outcome(reader, changed)).toEqual(outcome(new InferReader(serverOf(numbers)), changed));
    }),
    { numRuns: 2000 },
  );
});
