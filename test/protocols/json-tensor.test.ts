import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonTensorBytes, readJsonTensor } from '../../src/protocols/json-tensor.js';
import { type DataType, elementBytes } from '../../src/types/datatype.js';
import { ServerError } from '../../src/types/errors.js';
import { fromHalf, toHalf } from '../../src/types/half.js';
import { typedArrays } from '../../src/types/typed-array.js';

const MARGIN = 5;

/** Reads `text` into shared memory at an odd place and gives the tensor's bytes; nothing around them may have changed. */
function bytesOf(text: string, datatype: DataType, count: number): Uint8Array {
  const body = Buffer.from(`xx${text}`);
  const range = { start: 2, end: body.length };
  const size = datatype === 'BYTES' ? jsonTensorBytes(body, range, 'IN') : count * elementBytes[datatype];
  const target = new Uint8Array(new SharedArrayBuffer(size + 2 * MARGIN)).fill(0xaa);
  expect(readJsonTensor(body, range, 'IN', datatype, count, target, MARGIN)).toBe(size);
  const around = [...target.subarray(0, MARGIN), ...target.subarray(MARGIN + size)];
  expect(around).toEqual(new Array(2 * MARGIN).fill(0xaa));
  return target.slice(MARGIN, MARGIN + size);
}

type FixedType = Exclude<DataType, 'BYTES'>;

function elementsOf(text: string, datatype: FixedType, count: number): (number | bigint)[] {
  const bytes = bytesOf(text, datatype, count);
  return Array.from(new typedArrays[datatype](bytes.buffer, 0, count) as ArrayLike<number | bigint>);
}

function failure(text: string, datatype: DataType, count: number): string {
  try {
    bytesOf(text, datatype, count);
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe('INVALID_ARGUMENT');
    return (error as ServerError).message;
  }
  throw new Error(`${text} was accepted as ${datatype}`);
}

const bounds: readonly [FixedType, bigint, bigint][] = [
  ['INT8', -128n, 127n],
  ['INT16', -32768n, 32767n],
  ['INT32', -(2n ** 31n), 2n ** 31n - 1n],
  ['INT64', -(2n ** 63n), 2n ** 63n - 1n],
  ['UINT8', 0n, 255n],
  ['UINT16', 0n, 65535n],
  ['UINT32', 0n, 2n ** 32n - 1n],
  ['UINT64', 0n, 2n ** 64n - 1n],
];

describe.each(bounds)('%s', (datatype, least, most) => {
  test('takes every value of its range, exactly', () => {
    const values = fc.array(fc.oneof(fc.bigInt(least, most), fc.constantFrom(least, most, 0n)), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.constantFrom(',', ', ', ' ,\n\t'), (list, comma) => {
        expect(elementsOf(`[${list.join(comma)}]`, datatype, list.length).map(BigInt)).toEqual(list);
      }),
    );
  });

  test.each([least - 1n, most + 1n, 10n ** 19n * -9n, 10n ** 30n])('refuses %s by name', (value) => {
    const message = failure(`[${value}]`, datatype, 1);
    expect(message).toContain("Unable to parse 'data': ");
    expect(message).toContain("input 'IN'");
  });

  test.each(['1.0', '1e2', '0.5', 'NaN', 'Infinity', '-Infinity', '"1"', 'true', 'null', '{}', '1.', '01', '-'])(
    'refuses %s',
    (text) => {
      expect(failure(`[${text}]`, datatype, 1)).toMatch(
        /^Unable to parse 'data': attempt to access JSON non-(un)?signed-integer as/,
      );
    },
  );
});

test('what does not fit is shown, and long numbers are not shown in full', () => {
  expect(failure('[300]', 'UINT8', 1)).toBe("Unable to parse 'data': 300 does not fit UINT8 for input 'IN'");
  const tail = 'attempt to access JSON non-unsigned-integer as unsigned-integer';
  expect(failure('[-1]', 'UINT8', 1)).toBe(`Unable to parse 'data': ${tail} for input 'IN', got -1`);
  const signed = 'attempt to access JSON non-signed-integer as signed-integer';
  expect(failure('[1.5]', 'INT32', 1)).toBe(`Unable to parse 'data': ${signed} for input 'IN', got 1.5`);
  expect(failure(`[${'9'.repeat(100_000)}]`, 'INT64', 1).length).toBeLessThan(200);
});

describe('floats', () => {
  const texts = fc.oneof(
    fc.double().map((value) => String(value)),
    fc.double({ noNaN: true, min: -1e15, max: 1e15 }).map((value) => String(value)),
    fc.float().map((value) => String(value)),
    fc.tuple(fc.integer({ min: 0, max: 400 }), fc.bigInt(0n, 10n ** 25n)).map(([e, digits]) => `${digits}e-${e}`),
    fc.tuple(fc.bigInt(0n, 10n ** 18n), fc.stringMatching(/^[0-9]{1,25}$/)).map(([whole, part]) => `${whole}.${part}`),
    // The middle between two doubles, and its neighbours.
    fc.bigInt(2n ** 53n, 2n ** 54n).map((value) => `${value}.${value % 3n === 0n ? '0000000001' : '0'}`),
  );

  test.each(['FP64', 'FP32', 'FP16'] as const)('%s has the value of the nearest double', (datatype) => {
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1 }), (list) => {
        const found = elementsOf(`[${list.join(',')}]`, datatype, list.length).map(Number);
        const expected = list.map((text) => {
          if (datatype === 'FP64') return Number(text);
          return datatype === 'FP32' ? Math.fround(Number(text)) : toHalf(Number(text));
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('infinities, NaN, zeros with their signs, and FP32 beyond its range', () => {
    expect(elementsOf('[NaN,Infinity,-Infinity,-0,0,-0.0,1e39]', 'FP32', 7)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -0,
      0,
      -0,
      Number.POSITIVE_INFINITY,
    ]);
  });

  test('every FP16 value can be written as a number', () => {
    for (let begin = 0; begin < 0x7c00; begin += 1024) {
      const bits = Array.from({ length: 1024 }, (_, i) => begin + i);
      expect(elementsOf(`[${bits.map(fromHalf).join(', ')}]`, 'FP16', 1024)).toEqual(bits);
    }
  });

  test.each(['"1"', 'true', 'null', '{}', '1.', '.5', '01', '00.5', '1e', 'Inf', '1.2.3', '--1'])(
    'refuse %s',
    (text) => {
      failure(`[${text}]`, 'FP32', 1);
      failure(`[${text}]`, 'FP64', 1);
    },
  );

  test('name the wrong type', () => {
    const message = failure('[true]', 'FP32', 1);
    expect(message).toBe(
      "Unable to parse 'data': attempt to access JSON non-number as double for input 'IN', got true",
    );
  });
});

test('BOOL takes true and false only', () => {
  expect(elementsOf('[true,[false],true]', 'BOOL', 3)).toEqual([1, 0, 1]);
  const message = "Unable to parse 'data': attempt to access JSON non-boolean as boolean for input 'IN', got 1";
  expect(failure('[1]', 'BOOL', 1)).toBe(message);
  failure('[truee]', 'BOOL', 1);
  failure('[tru]', 'BOOL', 1);
});

test('BF16 is refused by name', () => {
  expect(failure('[1]', 'BF16', 1)).toBe(
    'receiving BF16 data via JSON is not supported. Please use the binary data format for input IN',
  );
});

describe('BYTES', () => {
  function strings(bytes: Uint8Array): string[] {
    const found: string[] = [];
    const buffer = Buffer.from(bytes);
    for (let at = 0; at < buffer.length; at += 4 + buffer.readUInt32LE(at)) {
      found.push(buffer.toString('utf8', at + 4, at + 4 + buffer.readUInt32LE(at)));
    }
    return found;
  }

  test('are the strings with their escapes resolved, and take exactly the bytes that were announced', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(fc.array(text), fc.boolean(), (list, escaped) => {
        const source = JSON.stringify(list);
        const ascii = source.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
        expect(strings(bytesOf(escaped ? ascii : source, 'BYTES', list.length))).toEqual(list);
      }),
      { numRuns: 500 },
    );
  });

  test('are counted by the core, not here', () => {
    expect(strings(bytesOf('["a","b"]', 'BYTES', 7))).toEqual(['a', 'b']);
  });

  test('name what is no string', () => {
    const message = "Unable to parse JSON bytes array: attempt to access JSON non-string as string for input 'IN'";
    expect(failure('["a",1]', 'BYTES', 2)).toBe(message);
  });
});

describe('shapes', () => {
  test('do not matter: elements are read depth first', () => {
    const nested = fc.letrec((tie) => ({
      list: fc.array(fc.oneof({ maxDepth: 4 }, fc.integer(), tie('list')), { maxLength: 5 }),
    })).list as fc.Arbitrary<unknown[]>;
    fc.assert(
      fc.property(nested, fc.constantFrom(undefined, 1), (list, indent) => {
        const flat = list.flat(Number.POSITIVE_INFINITY) as number[];
        expect(elementsOf(JSON.stringify(list, null, indent), 'FP64', flat.length)).toEqual(flat);
      }),
    );
  });

  const datatypes = ['BOOL', 'INT8', 'INT64', 'FP32'] as const;
  test.each(datatypes)('too few and too many elements of %s are refused, nothing behind is written', (datatype) => {
    const element = datatype === 'BOOL' ? 'true' : '1';
    const text = "Unable to parse 'data': Shape does not match true shape of 'data' field";
    expect(failure(`[${element}]`, datatype, 2)).toBe(text);
    expect(failure(`[[${element},${element}],${element}]`, datatype, 2)).toBe(text);
    expect(failure('[]', datatype, 2)).toBe(text);
    const target = new Uint8Array(16);
    const body = Buffer.from(`[${element},${element}]`);
    expect(() => readJsonTensor(body, { start: 0, end: body.length }, 'IN', datatype, 1, target, 0)).toThrow(text);
    expect([...target.subarray(elementBytes[datatype])].every((byte) => byte === 0)).toBe(true);
  });

  test('without elements the data is ignored, but must be JSON', () => {
    expect(elementsOf('[1,"x"]', 'INT32', 0)).toEqual([]);
    failure('[1,}', 'INT32', 0);
  });

  test.each(['[1,]', '[,1]', '[1 2]', '[1,,2]', '[[1]2]', '[1}', '[{"a":1}]', '[1', '[1,2', '[[1]', '[@]'])(
    'and %s is refused',
    (text) => {
      for (const datatype of ['INT32', 'FP32', 'INT64', 'BOOL', 'BYTES'] as const) {
        failure(text, datatype, 1);
        failure(text, datatype, 2);
      }
    },
  );

  test('a depth of 100 is read, one more is refused', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}7${']'.repeat(depth)}`;
    expect(elementsOf(nested(100), 'INT32', 1)).toEqual([7]);
    expect(failure(nested(101), 'INT32', 1)).toBe('JSON nesting depth exceeds maximum allowed limit (100)');
  });
});
