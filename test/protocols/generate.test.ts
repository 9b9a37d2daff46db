import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GenerateModel, type GenerateRequest, parseGenerate, tensorShape } from '../../src/protocols/generate.js';
import { readJsonTensor } from '../../src/protocols/json-tensor.js';
import type { DataType } from '../../src/types/datatype.js';
import { ServerError } from '../../src/types/errors.js';

const LIMIT = 1 << 20;

function input(name: string, datatype: DataType, ...dims: number[]) {
  return { name, datatype, dims };
}

const model: GenerateModel = {
  inputs: [
    input('text_input', 'BYTES', 1),
    input('seed', 'UINT64', 1),
    input('tokens', 'INT32', -1),
    input('weights', 'FP32', 2),
    input('flag', 'BOOL', 1),
    input('half', 'FP16', 1),
    input('brain', 'BF16', 1),
  ],
  maxBatchSize: 8,
};

function bytesOf(body: unknown): Buffer {
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parse(body: unknown, of = model, limit = LIMIT): GenerateRequest {
  const bytes = bytesOf(body);
  return parseGenerate(bytes, 0, bytes.length, of, limit);
}

/** What its tensors are in memory, by name. */
function tensors(body: unknown, of = model): Record<string, string> {
  const bytes = bytesOf(body);
  const { head, sizes } = parse(body, of);
  const read = head.inputs.map(({ name, datatype, shape, source }, nth) => {
    const target = Buffer.alloc(sizes[nth]! + 1, '!');
    const count = shape.reduce((product, dim) => product * dim, 1);
    const range = source as { start: number; end: number };
    const written = readJsonTensor(bytes, range, name, datatype as DataType, count, target, 0);
    expect([written, target.at(-1)]).toEqual([sizes[nth], 0x21]);
    return [name, target.toString('hex', 0, written)];
  });
  return Object.fromEntries(read);
}

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe('INVALID_ARGUMENT');
    return (error as ServerError).message;
  }
  throw new Error('it was accepted');
}

const refused = (body: unknown, of = model, limit = LIMIT) => failure(() => parse(body, of, limit));
const badData = (body: unknown) => failure(() => tensors(body));

describe('members', () => {
  test('named as an input are tensors with its datatype, all others parameters', () => {
    const { head, sizes } = parse('{"text_input":"hé","temperature":0.5,"top_k":40,"stop":"x","stream":true,"seed":7}');
    const shapes = head.inputs.map(({ name, datatype, shape }) => [name, datatype, shape]);
    expect(shapes).toEqual([
      ['text_input', 'BYTES', [1, 1]],
      ['seed', 'UINT64', [1, 1]],
    ]);
    expect(sizes).toEqual([7, 8]);
    expect(Object.fromEntries(head.parameters)).toEqual({ temperature: 0.5, top_k: 40, stop: 'x', stream: true });
    expect([head.id, head.outputs, head.binaryOutput]).toEqual(['', [], false]);
  });

  test('of parameters are taken as those of the request', () => {
    const { head } = parse({ parameters: { tokens: [1, 2], top_p: 0.9 }, text_input: 'a', top_k: 1 });
    expect(head.inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['tokens', [1, 2]],
      ['text_input', [1, 1]],
    ]);
    expect(Object.fromEntries(head.parameters)).toEqual({ top_p: 0.9, top_k: 1 });
  });

  test('that mean something elsewhere mean nothing here', () => {
    const given = {
      sequence_id: 5,
      sequence_start: true,
      priority: 2,
      timeout: 1000,
      binary_data_output: true,
      triton_enable_empty_final_response: true,
    };
    const { head } = parse(given);
    expect(Object.fromEntries(head.parameters)).toEqual(given);
    const { sequenceId, sequenceStart, priority, timeoutUs, binaryOutput } = head;
    expect([sequenceId, sequenceStart, priority, timeoutUs, binaryOutput]).toEqual([0, false, 0, 0, false]);
  });

  test('id is the id of the request, and a parameter', () => {
    const { head } = parse({ id: 'seven' });
    expect([head.id, head.parameters.get('id')]).toEqual(['seven', 'seven']);
    const nested = parse({ parameters: { id: 'seven' } }).head;
    expect([nested.id, nested.parameters.get('id')]).toEqual(['', 'seven']);
    expect(refused({ id: 7 })).toBe("Unable to parse 'id': attempt to access JSON non-string as string");
  });

  test('given twice: the first parameter counts, a tensor is refused', () => {
    const { head } = parse('{"a":1,"a":2,"id":"x","id":"y","parameters":{"a":3,"b":1},"parameters":{"b":2,"c":1}}');
    expect(Object.fromEntries(head.parameters)).toEqual({ a: 1, id: 'x', b: 1 });
    expect(head.id).toBe('x');
    expect(refused('{"seed":1,"seed":2}')).toBe("input 'seed' already exists in request");
    expect(refused({ seed: 1, parameters: { seed: 1 } })).toBe("input 'seed' already exists in request");
  });

  test('of other types are no parameters', () => {
    for (const value of [null, [1], { a: 1 }]) {
      const text = "parameter 'x' has invalid type. It should be either 'int', 'bool', or 'string'.";
      expect(refused({ x: value })).toBe(text);
      expect(refused({ parameters: { x: value } })).toBe(`Converting keyword: 'parameters': ${text}`);
    }
    expect(refused({ parameters: { parameters: {} } })).toContain("parameter 'parameters' has invalid type");
  });

  test('integers beyond 2^53 are exact', () => {
    expect(parse('{"x":9007199254740993}').head.parameters.get('x')).toBe(9007199254740993n);
  });

  test('parameters is an object, and no input is called so', () => {
    expect(refused({ parameters: [1] })).toMatch(/^Expected JSON object for keyword: 'parameters'/);
    const other = { inputs: [input('parameters', 'FP32', 1)], maxBatchSize: 0 };
    expect(refused({}, other)).toBe("Keyword 'parameters' for nested schema also given as input tensor name");
  });
});

describe('the body', () => {
  test('is one JSON object', () => {
    expect(refused('')).toBe('failed to parse the request JSON buffer: The document is empty. at 0');
    expect(refused('  ')).toContain('The document is empty.');
    for (const body of ['[]', '1', '"a"', 'null']) expect(refused(body)).toContain('expected one JSON object');
    expect(refused('{} {}')).toContain('The document root must not be followed by other values.');
    expect(refused('{"a":')).toContain('failed to parse the request JSON buffer');
    expect(refused('{"a" 1}')).toContain('Missing a colon');
  });

  test('may begin with a byte order mark, and be empty but for its braces', () => {
    expect(parse('\ufeff {"seed":1}').head.inputs.length).toBe(1);
    expect(parse('{}').head.inputs).toEqual([]);
  });

  test('is UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"text_input":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const run = () => parseGenerate(bytes, 0, bytes.length, model, LIMIT);
    expect(failure(run)).toContain('Invalid encoding in string.');
  });

  test('may lie anywhere in its buffer', () => {
    const bytes = Buffer.from('xx{"tokens":[1,2]}yy');
    const { head } = parseGenerate(bytes, 2, bytes.length - 2, model, LIMIT);
    expect(head.inputs[0]!.source).toEqual({ kind: 'json', start: 12, end: 17 });
  });

  test('nests so deep and no deeper', () => {
    expect(refused(`{"x":${'['.repeat(200)}${']'.repeat(200)}}`)).toContain('JSON nesting depth exceeds');
    expect(refused(`{"seed":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`)).toContain('JSON nesting depth exceeds');
  });
});

describe('shapes', () => {
  const cases: [dims: number[], elements: number, shape: number[] | null][] = [
    [[], 1, []],
    [[], 2, null],
    [[1], 1, [1]],
    [[3], 3, [3]],
    [[3], 1, null],
    [[2, 3], 6, [2, 3]],
    [[2, 3], 12, null],
    [[-1], 5, [5]],
    [[-1], 0, [0]],
    [[-1, 1], 4, [4, 1]],
    [[-1, -1], 5, [1, 5]],
    [[-1, 2, -1], 6, [1, 2, 3]],
    [[-1, 2, -1, 3], 6, [1, 2, 1, 3]],
    [[-1, 2, -1, 3], 7, null],
    [[-1, -1, 4], 12, [1, 3, 4]],
    [[0], 0, [0]],
    [[0], 1, null],
    [[-1, 0], 0, [1, 0]],
  ];
  for (const [dims, elements, shape] of cases) {
    test(`${elements} elements for [${dims}] are ${shape === null ? 'refused' : `[${shape}]`}`, () => {
      const run = () => tensorShape('x', dims, elements);
      if (shape === null) expect(failure(run)).toBe("The schema can not convert input 'x' to tensor with proper shape");
      else expect(run()).toEqual(shape);
    });
  }

  test('have as many elements as were given, or are refused', () => {
    const dims = fc.array(fc.constantFrom<number[]>(-1, 1, 2, 3), { maxLength: 4 });
    fc.assert(
      fc.property(dims, fc.integer({ min: 1, max: 40 }), (given, elements) => {
        const fixed = given.filter((dim) => dim > 0).reduce((product, dim) => product * dim, 1);
        const fits = elements % fixed === 0 && (given.includes(-1) || elements === fixed);
        if (!fits) {
          failure(() => tensorShape('x', given, elements));
          return;
        }
        const shape = tensorShape('x', given, elements);
        expect(shape.reduce((product, dim) => product * dim, 1)).toBe(elements);
        given.forEach((dim, index) => void (dim > 0 && expect(shape[index]).toBe(dim)));
      }),
    );
  });

  test('have a batch dimension where the model batches, which takes what fixed dimensions leave', () => {
    const shapeOf = (body: unknown, maxBatchSize: number) =>
      parse(body, { ...model, maxBatchSize }).head.inputs[0]!.shape;
    expect(shapeOf({ weights: [1, 2] }, 8)).toEqual([1, 2]);
    expect(shapeOf({ weights: [1, 2, 3, 4] }, 8)).toEqual([2, 2]);
    expect(shapeOf({ weights: [1, 2] }, 0)).toEqual([2]);
    expect(shapeOf({ tokens: [1, 2, 3] }, 8)).toEqual([1, 3]);
    expect(refused({ weights: [1, 2, 3] })).toContain("can not convert input 'weights'");
    expect(refused({ weights: 1 })).toContain("can not convert input 'weights'");
  });

  test('are not those of nested arrays', () => {
    expect(refused({ tokens: [[1, 2]] })).toBe("The schema can not convert input 'tokens' to tensor with proper shape");
    expect(refused({ tokens: [1, [2]] })).toContain("can not convert input 'tokens'");
  });
});

describe('data', () => {
  test('is a scalar or an array of them, with blanks anywhere', () => {
    const body =
      ' { "text_input" : "a\\u00e9\\n" , "seed": 18446744073709551615 ,"tokens":[ 1 , -2 ], "flag" :true }\n';
    expect(tensors(body)).toEqual({
      text_input: '0400000061c3a90a',
      seed: 'ffffffffffffffff',
      tokens: '01000000feffffff',
      flag: '01',
    });
    expect(tensors('{"flag":[false],"text_input":[""],"tokens":[],"half":1.5}')).toEqual({
      flag: '00',
      text_input: '00000000',
      tokens: '',
      half: '003e',
    });
  });

  test('at the very end of the body is read whole', () => {
    const bytes = Buffer.from('{"seed":12');
    expect(readJsonTensor(bytes, { start: 8, end: 10 }, 'seed', 'UINT8', 1, new Uint8Array(1), 0)).toBe(1);
  });

  test('that does not fit its datatype is refused by name', () => {
    for (const value of ['1', 1.5, null, {}, true]) expect(badData({ tokens: [value] })).toContain("'tokens'");
    for (const value of ['1', 1.5, null, {}, -1]) expect(badData({ seed: value })).toContain("'seed'");
    for (const value of [1, null, {}, [1]]) expect(badData({ text_input: value })).toContain("'text_input'");
    for (const value of ['x', 1, null]) expect(badData({ flag: value })).toContain("'flag'");
    expect(badData({ brain: 1 })).toContain('receiving BF16 data via JSON is not supported');
  });

  test('of all tensors together is bounded', () => {
    expect(parse({ tokens: [1, 2], seed: 1 }, model, 16).sizes).toEqual([8, 8]);
    expect(refused({ seed: 1, tokens: [1, 2] }, model, 15)).toBe(
      "request size of 16 bytes with input 'tokens' of size 8 bytes exceeds the maximum allowed input size of 15. Use --http-max-input-size to increase the limit.",
    );
    expect(refused({ text_input: 'abcde' }, model, 8)).toContain("with input 'text_input' of size 9 bytes");
  });
});

test('random scalars are the same as arrays of one', () => {
  const value = fc.record({
    text_input: fc.string(),
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    flag: fc.boolean(),
  });
  fc.assert(
    fc.property(value, ({ text_input, seed, flag }) => {
      const text = JSON.stringify(text_input);
      expect(tensors(`{"text_input":${text},"seed":${seed},"flag":${flag}}`)).toEqual(
        tensors(`{"text_input":[${text}],"seed":[${seed}],"flag":[${flag}]}`),
      );
    }),
  );
});
