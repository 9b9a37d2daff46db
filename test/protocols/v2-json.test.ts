import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readJsonTensor } from '../../src/protocols/json-tensor.js';
import { parseInferHead } from '../../src/protocols/v2-json.js';
import { ServerError } from '../../src/types/errors.js';
import type { InferHead } from '../../src/types/infer.js';

function parse(body: unknown, sharedMemory = false): InferHead {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return parseInferHead(bytes, 0, bytes.length, sharedMemory);
}

function failure(body: unknown): ServerError {
  try {
    parse(body);
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    return error as ServerError;
  }
  throw new Error('the body was accepted');
}

const input = { name: 'IN', datatype: 'INT32', shape: [1, 2], data: [1, 2] };
const binary = { name: 'IN', datatype: 'INT32', shape: [1, 2], parameters: { binary_data_size: 8 } };

test('a request with everything', () => {
  const body = JSON.stringify({
    id: 'seven',
    parameters: {
      priority: 3,
      timeout: 1000,
      sequence_start: true,
      sequence_end: false,
      binary_data_output: true,
      top_k: 1.5,
      on: true,
    },
    inputs: [input, { ...binary, name: 'B' }],
    outputs: [{ name: 'OUT', parameters: { binary_data: true, classification: 3 } }, { name: 'P' }],
    model_name: 'ignored',
  });
  const start = body.indexOf('[1,2],"data":') + '[1,2],"data":'.length;
  expect(parse(body)).toEqual({
    id: 'seven',
    priority: 3,
    timeoutUs: 1000,
    sequenceId: 0,
    sequenceStart: true,
    sequenceEnd: false,
    binaryOutput: true,
    parameters: new Map<string, unknown>([
      ['top_k', 1.5],
      ['on', true],
    ]),
    inputs: [
      { name: 'IN', datatype: 'INT32', shape: [1, 2], source: { kind: 'json', start, end: start + 5 } },
      { name: 'B', datatype: 'INT32', shape: [1, 2], source: { kind: 'binary', byteSize: 8 } },
    ],
    outputs: [
      { name: 'OUT', binary: true, classCount: 3, shared: null },
      { name: 'P', binary: false, classCount: 0, shared: null },
    ],
  });
});

test('the head lies anywhere in the body, and its data range counts from the body', () => {
  const text = `\n{"inputs":[${JSON.stringify(input)}]} `;
  const body = Buffer.from(`abc${text}BINARY`);
  const { source } = parseInferHead(body, 3, 3 + text.length).inputs[0]!;
  expect(source.kind === 'json' && body.toString('latin1', source.start, source.end)).toBe('[1,2]');
});

test('members may come in any order, data before shape and datatype', () => {
  const { data, ...rest } = input;
  expect(parse({ outputs: [], inputs: [{ data, parameters: {}, ...rest }] }).inputs[0]!.source.kind).toBe('json');
});

test('a byte order mark is accepted', () => {
  expect(parse(`\ufeff${JSON.stringify({ inputs: [input] })}`).inputs).toHaveLength(1);
});

test('of doubled members the first ones count', () => {
  const text =
    '{"id":"a","id":7,"inputs":[{"name":"A","name":7,"datatype":"INT8","shape":[1],"shape":"","data":[1],"data":[[2]],' +
    '"parameters":{},"parameters":{"binary_data_size":1}}],"inputs":7,"parameters":{"priority":1,"priority":2},"parameters":[]}';
  const head = parse(text);
  expect(head.id).toBe('a');
  expect(head.priority).toBe(1);
  const { name, shape, source } = head.inputs[0]!;
  expect({ name, shape }).toEqual({ name: 'A', shape: [1] });
  expect(source.kind === 'json' && text.slice(source.start, source.end)).toBe('[1]');
});

test('unknown members, and parameters of an input that are no object, are ignored', () => {
  const extra = { deep: [[{ x: [null, 1e300, 'ä'] }]] };
  expect(
    parse({ ...extra, inputs: [{ ...input, ...extra, parameters: [] }], outputs: [{ ...extra, name: 'o' }] }).inputs,
  ).toHaveLength(1);
});

test('members that may be left out may be null, as MLServer writes them; so may data beside another source, as KServe does', () => {
  const plain = parse({ inputs: [binary], outputs: [{ name: 'o' }] });
  const nulls = {
    id: null,
    parameters: null,
    inputs: [{ ...binary, data: null }],
    outputs: [{ name: 'o', parameters: null }],
  };
  expect(parse(nulls)).toEqual(plain);
  expect(parse({ inputs: [{ data: null, ...binary }], outputs: null }).outputs).toEqual([]);
  expect(parse({ inputs: [{ ...input, parameters: null }] }).inputs[0]!.source.kind).toBe('json');
});

describe('64-bit integers are exact', () => {
  test.each([
    ['9007199254740993', 9007199254740993n],
    ['18446744073709551615', 18446744073709551615n],
    ['7', 7],
    ['0', 0],
    ['"text"', 'text'],
    [`"${'x'.repeat(128)}"`, 'x'.repeat(128)],
  ])('as sequence_id %s', (text, value) => {
    expect(parse(`{"parameters":{"sequence_id":${text}},"inputs":[]}`).sequenceId).toBe(value);
  });

  test('as parameters of the backend', () => {
    const head = parse('{"parameters":{"a":-9223372036854775808,"b":18446744073709551615,"c":"x"},"inputs":[]}');
    expect([...head.parameters.values()]).toEqual([-9223372036854775808n, 18446744073709551615n, 'x']);
  });

  test('and a time-out beyond 2^53 is as good as for ever', () => {
    expect(parse('{"parameters":{"timeout":18446744073709551615},"inputs":[]}').timeoutUs).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });
});

test('a correlation id is measured in bytes', () => {
  const error = failure({ parameters: { sequence_id: 'ä'.repeat(65) }, inputs: [] });
  expect(error.code).toBe('UNSUPPORTED');
  expect(error.message).toBe('string correlation ID cannot be longer than 128 characters');
});

const onlyOne =
  "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', 'shared_memory_region' in 'parameters'. But ";
const unsigned = 'attempt to access JSON non-unsigned-integer as unsigned-integer';
const withInput = (change: object): object => ({ inputs: [{ ...input, ...change }] });
const withParameter = (text: string): string => `{"inputs":[],"parameters":{${text}}}`;
const withOutput = (parameters: object): object => ({ inputs: [input], outputs: [{ name: 'OUT', parameters }] });

describe('is refused by name:', () => {
  test.each<[unknown, string]>([
    ['', 'failed to parse the request JSON buffer: The document is empty. at 0'],
    ['  ', 'failed to parse the request JSON buffer: The document is empty. at 2'],
    [
      '{"inputs":[]}x',
      'failed to parse the request JSON buffer: The document root must not be followed by other values. at 13',
    ],
    ['{"inputs":[]', 'failed to parse the request JSON buffer: Missing a comma or } after an object member. at 12'],
    ['{"inputs":[}', "Unable to parse 'inputs': attempt to access JSON non-object as object"],
    ['{inputs:[]}', 'failed to parse the request JSON buffer: Missing a name for object member. at 1'],
    ['{"inputs"[]}', 'failed to parse the request JSON buffer: Missing a colon after a name of object member. at 9'],
    ['{"inputs":[],"x":tru}', 'failed to parse the request JSON buffer: Invalid value. at 17'],
    ['[]', "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    ['"x"', "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    ['null', "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    ['7', "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    ['{"inputs":[{"data":nul}]}', 'failed to parse the request JSON buffer: Invalid value. at 19'],
    [{}, "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'"],
    [{ inputs: {} }, "Unable to parse 'inputs': attempt to access JSON non-array as array"],
    [{ inputs: null }, "Unable to parse 'inputs': attempt to access JSON non-array as array"],
    [{ inputs: [1] }, "Unable to parse 'inputs': attempt to access JSON non-object as object"],
    [{ inputs: [], id: 7 }, "Unable to parse 'id': attempt to access JSON non-string as string"],
    [
      { inputs: [], parameters: [1] },
      "Unable to parse 'parameters': failed to get request params.: attempt to get members for non-object",
    ],
    [{ inputs: [], outputs: {} }, "Unable to parse 'outputs': attempt to access JSON non-array as array"],
    [{ inputs: [], outputs: [7] }, "Unable to parse 'outputs': attempt to get members for non-object"],
    [{ inputs: [], outputs: [{}] }, "Unable to parse 'name': attempt to access non-existing object member 'name'"],
    [withInput({ name: undefined }), "Unable to parse 'name': attempt to access non-existing object member 'name'"],
    [withInput({ name: null }), "Unable to parse 'name': attempt to access JSON non-string as string"],
    [withInput({ datatype: 7 }), "Unable to parse 'datatype': attempt to access JSON non-string as string"],
    [withInput({ shape: undefined }), "Unable to parse 'shape': attempt to access non-existing object member 'shape'"],
    [withInput({ shape: 'x' }), "Unable to parse 'shape': attempt to access JSON non-array as array"],
    [withInput({ shape: [1, -2] }), `Unable to parse 'shape': ${unsigned}`],
    [withInput({ shape: [1.5] }), `Unable to parse 'shape': ${unsigned}`],
    [withInput({ shape: ['1'] }), `Unable to parse 'shape': ${unsigned}`],
    [withInput({ data: 7 }), "Unable to parse 'data': attempt to access JSON non-array as array"],
    [withInput({ data: null }), "Unable to parse 'data': attempt to access JSON non-array as array"],
    [withInput({ shape: [1, 2 ** 40] }), "Unable to parse 'data': Shape does not match true shape of 'data' field"],
    [withInput({ shape: new Array(17).fill(1) }), "invalid shape for input 'IN': 17 dimensions, of at most 16"],
    [withInput({ data: undefined }), `${onlyOne}no field is set for input 'IN'`],
    [withInput({ parameters: { binary_data_size: 8 } }), `${onlyOne}set 'data' 'binary_data_size' for input 'IN'`],
    [
      withInput({ parameters: { binary_data_size: 8, shared_memory_region: 'r' } }),
      `${onlyOne}set 'data' 'binary_data_size' 'shared_memory_region' for input 'IN'`,
    ],
    [
      { inputs: [{ ...binary, parameters: { binary_data_size: -8 } }] },
      `Unable to parse 'binary_data_size': ${unsigned}`,
    ],
    [
      { inputs: [{ ...binary, parameters: { binary_data_size: '8' } }] },
      `Unable to parse 'binary_data_size': ${unsigned}`,
    ],
    [{ inputs: [input, input] }, "input 'IN' already exists in request"],
    [{ inputs: [input, { ...input, name: 'B' }, input] }, "input 'IN' already exists in request"],
    [{ inputs: [input], outputs: [{ name: 'o' }, { name: 'o' }] }, "output 'o' already exists in request"],
    [withOutput({ binary_data: 1 }), "Unable to parse 'binary_data': attempt to access JSON non-boolean as boolean"],
    [withOutput({ classification: -1 }), `Unable to set 'classification': ${unsigned}`],
    [withOutput({ classification: true }), `Unable to set 'classification': ${unsigned}`],
    [
      withOutput({ shared_memory_region: 'r', shared_memory_byte_size: 4, classification: 1 }),
      "Output can't set both 'shared_memory_region' and 'classification'",
    ],
    [
      withOutput({ shared_memory_region: 'r', shared_memory_byte_size: 4, binary_data: true }),
      "Output can't set both 'shared_memory_region' and 'binary_data'",
    ],
    [
      withOutput({ shared_memory_region: 'r' }),
      "Unable to parse 'shared_memory_byte_size': attempt to access non-existing object member 'shared_memory_byte_size'",
    ],
    [withParameter('"priority":"1"'), `Unable to parse 'priority': ${unsigned}`],
    [withParameter('"priority":1.5'), `Unable to parse 'priority': ${unsigned}`],
    [withParameter('"timeout":-1'), `Unable to parse 'timeout': ${unsigned}`],
    [withParameter('"sequence_id":-1'), `Unable to parse 'sequence_id': ${unsigned}`],
    [withParameter('"sequence_id":18446744073709551616'), `Unable to parse 'sequence_id': ${unsigned}`],
    [withParameter('"sequence_id":true'), `Unable to parse 'sequence_id': ${unsigned}`],
    [
      withParameter('"sequence_start":1'),
      "Unable to parse 'sequence_start': attempt to access JSON non-boolean as boolean",
    ],
    [
      withParameter('"sequence_end":"x"'),
      "Unable to parse 'sequence_end': attempt to access JSON non-boolean as boolean",
    ],
    [
      withParameter('"binary_data_output":1'),
      "Unable to parse 'binary_data_output': attempt to access JSON non-boolean as boolean",
    ],
    [
      withParameter('"triton_x":1'),
      "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.",
    ],
    [withParameter('"x":[1]'), "parameter 'x' has invalid type. It should be either 'int', 'bool', or 'string'."],
    [withParameter('"x":null'), "parameter 'x' has invalid type. It should be either 'int', 'bool', or 'string'."],
  ])('%j', (body, message) => {
    const error = failure(body);
    expect(error.message).toBe(message);
    expect(error.code).toBe('INVALID_ARGUMENT');
  });

  test('a shape whose product is beyond all bounds, before anything is allocated', () => {
    for (const shape of [
      '[1,1152921504606846976]',
      '[99999999999999999999999999]',
      '[0,4294967296,4294967296]',
      '[1e300]',
    ]) {
      const { message } = failure(`{"inputs":[{"name":"IN","datatype":"BYTES","shape":${shape},"data":[]}]}`);
      expect(message).toMatch(/^(invalid shape for input 'IN'|Unable to parse 'shape')/);
    }
  });

  test('text that is no UTF-8, also inside of data', () => {
    const body = Buffer.from(JSON.stringify({ inputs: [{ ...input, datatype: 'BYTES', data: ['a', 'XX'] }] }));
    body.fill(0xff, body.indexOf('XX'), body.indexOf('XX') + 1);
    expect(() => parseInferHead(body, 0, body.length)).toThrow(`Invalid encoding in string. at ${body.indexOf(0xff)}`);
  });

  test('nesting, wherever it is, deeper than 100', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = 'JSON nesting depth exceeds maximum allowed limit (100)';
    expect(failure(`{"x":${deep},"inputs":[]}`).message).toBe(text);
    expect(failure(`{"inputs":[{"data":${deep}}]}`).message).toBe(text);
    expect(failure(`{"inputs":[],"x":${'{"a":'.repeat(1000)}`).message).toBe(text);
  });
});

describe('shared memory', () => {
  const shared = { shared_memory_region: 'r', shared_memory_byte_size: 8, shared_memory_offset: 16 };
  const body = {
    inputs: [{ name: 'IN', datatype: 'INT32', shape: [2], parameters: shared }],
    outputs: [{ name: 'OUT', parameters: { shared_memory_region: 'q', shared_memory_byte_size: 4 } }],
  };

  test('is read where it is allowed', () => {
    const head = parse(body, true);
    expect(head.inputs[0]!.source).toEqual({ kind: 'shared', region: 'r', byteSize: 8, offset: 16 });
    expect(head.outputs[0]!.shared).toEqual({ region: 'q', byteSize: 4, offset: 0 });
  });

  test('may be said to lie beyond 2^53, where no region reaches', () => {
    const text = JSON.stringify(body).replace(
      '"shared_memory_offset":16',
      '"shared_memory_offset":18446744073709551584',
    );
    const head = parse(
      text.replace('"shared_memory_byte_size":4', '"shared_memory_byte_size":18446744073709551584'),
      true,
    );
    expect(head.inputs[0]!.source).toMatchObject({ region: 'r', offset: Number.MAX_SAFE_INTEGER });
    expect(head.outputs[0]!.shared).toMatchObject({ region: 'q', byteSize: Number.MAX_SAFE_INTEGER });
  });

  test.each([{ inputs: body.inputs }, { inputs: [input], outputs: body.outputs }])(
    'is refused where it is not, naming the flag',
    (request) => {
      const error = failure(request);
      expect(error.code).toBe('UNSUPPORTED');
      expect(error.message).toContain('--allow-client-shm=true');
    },
  );
});

describe('a body that was damaged', () => {
  const body = Buffer.from(
    JSON.stringify({
      id: 'é\n',
      parameters: { sequence_id: 2 ** 40, priority: 1, x: 'y' },
      inputs: [
        { ...input, data: [[1, -2]] },
        { name: 'F', datatype: 'FP32', shape: [2], data: [0.5, -1e-7] },
        { name: 'S', datatype: 'BYTES', shape: [2], data: ['ä\t', ''] },
      ],
      outputs: [{ name: 'OUT', parameters: { classification: 2 } }],
    }),
  );

  /** Parses and reads everything; only a ServerError may come of it. */
  function survive(damaged: Buffer): void {
    const target = new Uint8Array(4096);
    try {
      for (const { name, datatype, shape, source } of parseInferHead(damaged, 0, damaged.length).inputs) {
        const count = shape.reduce((product, dim) => product * dim, 1);
        const known = datatype === 'INT32' || datatype === 'FP32' || datatype === 'BYTES';
        if (source.kind === 'json' && known && count <= 512)
          readJsonTensor(damaged, source, name, datatype, count, target, 0);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(ServerError);
    }
  }

  test('at any byte, with any byte, is at worst a ServerError', () => {
    for (let at = 0; at < body.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const damaged = Buffer.from(body);
        damaged[at] = byte;
        survive(damaged);
      }
    }
  });

  test('by cutting, doubling and removing is at worst a ServerError', () => {
    for (let at = 0; at <= body.length; at++) survive(body.subarray(0, at));
    const place = fc.nat(body.length);
    fc.assert(
      fc.property(place, place, place, (a, b, c) => {
        survive(Buffer.concat([body.subarray(0, a), body.subarray(Math.min(b, c), Math.max(b, c)), body.subarray(b)]));
      }),
      { numRuns: 3000 },
    );
  });
});

test('the data ranges are those of the arrays, whatever strings and blanks are around them', () => {
  const data = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.array(fc.string()),
      fc.constantFrom(']', '["', '\\"', '\\'),
    ),
  );
  fc.assert(
    fc.property(
      fc.array(data, { minLength: 1 }),
      fc.constantFrom(undefined, 2),
      fc.string({ unit: 'binary' }),
      (lists, indent, noise) => {
        const inputs = lists.map((list, nth) => ({
          noise,
          name: `${nth}`,
          data: list,
          datatype: 'BYTES',
          shape: [list.length],
        }));
        const body = Buffer.from(JSON.stringify({ noise: [noise], inputs, after: noise }, null, indent));
        const found = parseInferHead(body, 0, body.length).inputs.map(({ source }) => {
          if (source.kind !== 'json') throw new Error('no JSON data');
          return JSON.parse(body.toString('utf8', source.start, source.end)) as unknown;
        });
        expect(found).toEqual(lists);
      },
    ),
  );
});
