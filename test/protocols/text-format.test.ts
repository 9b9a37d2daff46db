import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMessage } from '../../src/config/pbtxt.js';
import { type MessageSchema, modelConfigSchema } from '../../src/config/schema.js';
import { longText, shortText } from '../../src/protocols/text-format.js';
import { V1HeaderReader } from '../../src/protocols/v1-header.js';
import { V1Message } from '../../src/protocols/v1-messages.js';
import { NO_PARTICULARS } from '../../src/protocols/v1-request.js';

const { schema } = new V1Message('InferResponseHeader');
const request = new V1Message('InferRequestHeader').schema;
const status = new V1Message('RequestStatus').schema;
const serverStatus = new V1Message('ServerStatus').schema;

test('fields by number, without defaults, on one line', () => {
  const message = { request_id: 7, server_id: 'a', code: 'SUCCESS', msg: '', unknown: 1 };
  expect(shortText(message, status)).toBe('code: SUCCESS server_id: "a" request_id: 7');
  expect(shortText({ code: 'INVALID', request_id: 0n }, status)).toBe('');
});

test('repeated values one by one, messages whatever is in them', () => {
  const message = { output: [{ name: 'a', raw: { dims: [4, 0, 4], batch_byte_size: 0 } }, { raw: {} }] };
  expect(shortText(message, schema)).toBe('output { name: "a" raw { dims: 4 dims: 0 dims: 4 } } output { raw { } }');
  expect(longText({ model_name: 'm', output: [{ name: 'a' }] }, schema)).toBe(
    'model_name: "m"\noutput {\n  name: "a"\n}\n',
  );
});

test('entries of maps have a key and a value, also where these are defaults', () => {
  const message = { model_status: { m: { version_status: { 0: { ready_state: 'MODEL_UNKNOWN' } } } } };
  expect(shortText(message, serverStatus)).toBe(
    'model_status { key: "m" value { version_status { key: 0 value { } } } }',
  );
});

test('escapes of C, and octal numbers for what is no ASCII', () => {
  expect(shortText({ msg: `a"b'c\\d\n\r\t\u0001\u007fé` }, status)).toBe(
    `msg: "a\\"b\\'c\\\\d\\n\\r\\t\\001\\177\\303\\251"`,
  );
});

test('numbers', () => {
  const cls = [0.1, 3, 1e-9, 2 ** 24, 1e20, -2e38, Number.NaN, Infinity, -Infinity].map((value) => ({
    value: Math.fround(value),
  }));
  const text = shortText({ output: [{ batch_classes: [{ cls }] }] }, schema);
  expect([...text.matchAll(/value: (\S+)/g)].map((match) => match[1])).toEqual([
    '0.1',
    '3',
    '1e-9',
    '16777216',
    // Digits alone would be an integer, of more than 64 bits.
    '1e+20',
    '-2e+38',
    'nan',
    'inf',
    '-inf',
  ]);
});

test('a status tells every datatype that a model may have', () => {
  const datatypes = ({ fields }: MessageSchema) => fields.get('input')!.message!.fields.get('data_type')!.values;
  expect(datatypes(new V1Message('ModelConfig').schema)).toEqual(datatypes(modelConfigSchema()));
});

test('what is written is read again as it was', () => {
  const any64 = fc
    .bigInt({ min: 0n, max: 2n ** 64n - 1n })
    .map((n) => (n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n));
  const header = fc.record({
    batch_size: fc.nat(),
    input: fc.array(
      fc.record({ name: fc.string({ unit: 'binary' }), dims: fc.array(fc.integer()), batch_byte_size: any64 }),
    ),
    output: fc.array(fc.record({ name: fc.string({ unit: 'binary' }), cls: fc.record({ count: fc.nat() }) })),
    correlation_id: any64,
    id: any64,
    flags: fc.nat(),
  });
  fc.assert(
    fc.property(header, (message) => {
      for (const text of [shortText(message, request), longText(message, request)])
        expect(parseMessage(request, text, 'test')).toEqual(message);
    }),
  );
});

describe('a request header is taken apart without being read', () => {
  const front = 'batch_size: 1 input { name: "a" }';

  test.each([
    ['', NO_PARTICULARS],
    [' id: 3', { correlationId: 0, id: 3, flags: 0 }],
    [' correlation_id: 5 flags: 2', { correlationId: 5, id: 0, flags: 2 }],
    [' correlation_id: 18446744073709551615 id: 9 flags: 1 ', { correlationId: 2n ** 64n - 1n, id: 9, flags: 1 }],
  ])('%s', (tail, particulars) => {
    const reader = new V1HeaderReader();
    reader.read(front + tail);
    expect([reader.key, reader.particulars]).toEqual([front, particulars]);
    expect(reader.parse()).toMatchObject({ batchSize: 1, inputs: [{ name: 'a', dims: [], shared: null }] });
    expect([reader.key, reader.particulars]).toEqual([front, particulars]);
  });

  test.each([' # }', ' id: 18446744073709551616', ' id: 010', ' correlation_id: 5id: 6', ' flags: 09'])(
    '%s is not told apart: it may not be what it looks like',
    (tail) => {
      const reader = new V1HeaderReader();
      reader.read(front + tail);
      expect([reader.key, reader.particulars]).toEqual(['', NO_PARTICULARS]);
    },
  );

  test.each([
    `id: 3 ${front}`,
    `${front} flags: 1 id: 3`,
    `${front} # } id: 4\n id: 3`,
    `${front} # } id: 4`,
    'batch_size: 1 id: 3',
    'batch_size: 1 input: < name: "}" > id: 3',
  ])('%s is told by what it says, and by nothing else', (text) => {
    const reader = new V1HeaderReader();
    for (let time = 0; time < 2; time++) {
      reader.read(text);
      reader.parse();
      expect(reader.particulars.id).toBe(text.endsWith('# } id: 4') ? 0 : 3);
      expect(reader.key).toBe('');
    }
  });
});
