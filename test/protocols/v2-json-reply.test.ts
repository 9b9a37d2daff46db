import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonTensorBytes, readJsonTensor } from '../../src/protocols/json-tensor.js';
import { inferResponseHead, JsonReplyTemplate, type ReplyTensor } from '../../src/protocols/v2-json-reply.js';
import type { DataType } from '../../src/types/datatype.js';
import { elementBytes } from '../../src/types/datatype.js';
import { ServerError } from '../../src/types/errors.js';
import { fromHalf } from '../../src/types/half.js';

/** The bytes in shared memory, at a place that fits no element size. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3));
  shared.set(bytes, 3);
  return shared.subarray(3);
}

function tensor(datatype: DataType, bytes: Uint8Array, count: number, binary = false): ReplyTensor {
  return { name: 'OUT', datatype, shape: [1, count], bytes: unaligned(bytes), binary };
}

/** The text between the brackets of `data`. */
function dataOf(datatype: DataType, bytes: Uint8Array, count: number): string {
  const text = inferResponseHead('', 'm', '1', [tensor(datatype, bytes, count)]).toString('utf8');
  const head = `{"model_name":"m","model_version":"1","outputs":[{"name":"OUT","datatype":"${datatype}","shape":[1,${count}],"data":[`;
  expect(text.startsWith(head)).toBe(true);
  expect(text.endsWith(']}]}')).toBe(true);
  return text.slice(head.length, -4);
}

test('the head of an answer whose tensors follow as bytes', () => {
  const outputs = [
    tensor('INT32', new Uint8Array(8), 2, true),
    { ...tensor('BYTES', new Uint8Array(0), 0, true), name: 'ä"' },
  ];
  expect(inferResponseHead('id "7"', 'modèle', '3', outputs).toString('utf8')).toBe(
    '{"id":"id \\"7\\"","model_name":"modèle","model_version":"3","outputs":[' +
      '{"name":"OUT","datatype":"INT32","shape":[1,2],"parameters":{"binary_data_size":8}},' +
      '{"name":"ä\\"","datatype":"BYTES","shape":[1,0],"parameters":{"binary_data_size":0}}]}',
  );
});

test("the result is the caller's: the next answer does not change it", () => {
  const first = inferResponseHead('first', 'm', '1', []);
  const text = first.toString();
  inferResponseHead('second', 'mmmmmm', '1', []);
  expect(first.toString()).toBe(text);
});

test('parameters of the backend', () => {
  const parameters = new Map<string, string | number | bigint | boolean>([
    ['text', 'ä"'],
    ['count', 7],
    ['ratio', 0.5],
    ['long', 2n ** 63n - 1n],
    ['flag', true],
  ]);
  expect(inferResponseHead('', 'm', '1', [], parameters).toString()).toBe(
    '{"model_name":"m","model_version":"1","parameters":{"text":"ä\\"","count":7,"ratio":0.5,"long":9223372036854775807,"flag":true},"outputs":[]}',
  );
});

test('an error half way leaves nothing behind', () => {
  expect(() => inferResponseHead('x', 'm', '1', [tensor('BF16', new Uint8Array(2), 1)])).toThrow(
    new ServerError(
      'INVALID_ARGUMENT',
      'sending BF16 data via JSON is not supported. Please use the binary data format for output OUT',
    ),
  );
  expect(inferResponseHead('', 'm', '1', []).toString()).toBe('{"model_name":"m","model_version":"1","outputs":[]}');
});

describe('integers are exact:', () => {
  test.each(['INT8', 'INT16', 'INT32', 'INT64', 'UINT8', 'UINT16', 'UINT32', 'UINT64'] as const)('%s', (datatype) => {
    const bits = BigInt(elementBytes[datatype] * 8);
    const isUnsigned = datatype.startsWith('U');
    const [least, most] = isUnsigned ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
    const powers = Array.from({ length: 20 }, (_, e) => 10n ** BigInt(e)).flatMap((p) => [p - 1n, p, -p, 1n - p]);
    const edges = [least, most, ...powers, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n];
    const inRange = edges.filter((value) => value >= least && value <= most);
    const values = fc.array(fc.oneof(fc.bigInt(least, most), fc.constantFrom(...inRange)), { minLength: 1 });
    fc.assert(
      fc.property(values, (list) => {
        const bytes = new Uint8Array(list.length * 8);
        const size = elementBytes[datatype];
        const view = new DataView(bytes.buffer);
        for (const [nth, value] of list.entries()) view.setBigUint64(nth * size, BigInt.asUintN(64, value), true);
        const written = bytes.subarray(0, list.length * size);
        // The last element overwrote what lies behind it only.
        expect(dataOf(datatype, written, list.length)).toBe(list.join(','));
      }),
    );
  });
});

describe('floats', () => {
  test.each<[number, string]>([
    [1, '1.0'],
    [0, '0.0'],
    [-0, '-0.0'],
    [-7, '-7.0'],
    [0.1, '0.1'],
    [123456789012, '123456789012.0'],
    [1e20, '100000000000000000000.0'],
    [1e21, '1e21'],
    [-1.5e300, '-1.5e300'],
    [1e-7, '1e-7'],
    [5e-324, '5e-324'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('%d is written as Triton writes it: %s', (value, text) => {
    expect(dataOf('FP64', new Uint8Array(Float64Array.of(value).buffer), 1)).toBe(text);
  });

  test('FP32 is written as the double that it is', () => {
    expect(dataOf('FP32', new Uint8Array(Float32Array.of(0.1, 16777216).buffer), 2)).toBe(
      '0.10000000149011612,16777216.0',
    );
  });

  test('all FP16 values are written', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
    const found = dataOf('FP16', new Uint8Array(bits.buffer), bits.length).split(',').map(Number);
    expect(found).toEqual(Array.from(bits, fromHalf));
  });
});

test('what is written can be read again to the same bytes, for every datatype', () => {
  const types = [
    'BOOL',
    'INT8',
    'INT16',
    'INT32',
    'INT64',
    'UINT8',
    'UINT16',
    'UINT32',
    'UINT64',
    'FP16',
    'FP32',
    'FP64',
  ] as const;
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.uint8Array({ minLength: 8, maxLength: 256 }), (datatype, random) => {
      const size = elementBytes[datatype];
      const count = Math.floor(random.length / size);
      const bytes = random.slice(0, count * size);
      if (datatype === 'BOOL') bytes.set(bytes.map((byte) => byte & 1));
      const text = `[${dataOf(datatype, bytes, count)}]`;
      if (text.includes('NaN')) return;
      const back = new Uint8Array(bytes.length);
      readJsonTensor(Buffer.from(text), { start: 0, end: text.length }, 'IN', datatype, count, back, 0);
      expect(back).toEqual(bytes);
    }),
    { numRuns: 2000 },
  );
});

describe('BYTES', () => {
  function elements(list: readonly Uint8Array[]): Uint8Array {
    return Buffer.concat(list.flatMap((bytes) => [Uint8Array.of(bytes.length & 255, bytes.length >> 8, 0, 0), bytes]));
  }

  test('are JSON strings that mean the same', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (list) => {
        const bytes = elements(list.map((text) => Buffer.from(text)));
        const text = `[${dataOf('BYTES', bytes, list.length)}]`;
        expect(JSON.parse(text)).toEqual(list);
        const body = Buffer.from(text);
        const range = { start: 0, end: body.length };
        const back = new Uint8Array(jsonTensorBytes(body, range, 'IN'));
        readJsonTensor(body, range, 'IN', 'BYTES', list.length, back, 0);
        expect(Buffer.from(back).equals(bytes)).toBe(true);
      }),
    );
  });

  test('that are no UTF-8 are still JSON, with U+FFFD in their place', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array(), { minLength: 1 }), (list) => {
        const text = `[${dataOf('BYTES', elements(list), list.length)}]`;
        expect(JSON.parse(text)).toEqual(list.map((bytes) => Buffer.from(bytes).toString('utf8')));
      }),
    );
  });
});

test('long answers are written in full', () => {
  const values = Int32Array.from({ length: 200_000 }, (_, index) => index * 7919);
  expect(dataOf('INT32', new Uint8Array(values.buffer), values.length)).toBe(values.join(','));
  expect(dataOf('INT32', new Uint8Array(values.buffer), values.length)).toBe(values.join(','));
});

test('a template writes what the head of the same answer would be, again and again', () => {
  const numbers = fc.constantFrom<DataType>(
    'BOOL',
    'INT8',
    'UINT16',
    'INT32',
    'UINT64',
    'INT64',
    'FP16',
    'FP32',
    'FP64',
  );
  const output = fc
    .record({ name: fc.string(), datatype: numbers, count: fc.nat({ max: 5 }) })
    .chain(({ name, datatype, count }) => {
      const bytes = count * elementBytes[datatype];
      return fc.record({
        name: fc.constant(name),
        datatype: fc.constant(datatype),
        shape: fc.constant([1, count]),
        first: fc.uint8Array({ minLength: bytes, maxLength: bytes }),
        second: fc.uint8Array({ minLength: bytes, maxLength: bytes }),
      });
    });
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.array(output, { maxLength: 4 }), (id, model, outputs) => {
      const of = (which: 'first' | 'second') =>
        outputs.map(({ name, datatype, shape, [which]: bytes }) => ({ name, datatype, shape, bytes, binary: false }));
      const template = new JsonReplyTemplate(model, '1', of('first'));
      for (const which of ['second', 'first'] as const) {
        template.begin(id);
        of(which).forEach(({ bytes }, nth) => {
          const place = unaligned(bytes);
          template.output(nth, new Uint8Array(place.buffer), 3, 3 + bytes.length);
        });
        expect(Buffer.from(template.end()).toString()).toBe(inferResponseHead(id, model, '1', of(which)).toString());
      }
    }),
  );
});
