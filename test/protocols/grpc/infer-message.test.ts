import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseInferRequest,
  type WireInferRequest,
  type WireParameters,
} from '../../../src/protocols/grpc/infer-message.js';
import { ServerError } from '../../../src/types/errors.js';
import {
  anyRequest,
  encodeRequest,
  field,
  type TwinParameter,
  type TwinRequest,
  unknownField,
  varint,
} from './twin.js';

function plain(wire: WireInferRequest, bytes: Buffer) {
  return {
    model_name: wire.modelName,
    model_version: wire.modelVersion,
    id: wire.id,
    parameters: plainParameters(wire.parameters),
    inputs: wire.inputs.map(({ name, datatype, shape, parameters }) => {
      return { name, datatype, shape, parameters: plainParameters(parameters) };
    }),
    outputs: wire.outputs.map(({ name, parameters }) => ({ name, parameters: plainParameters(parameters) })),
    raw_input_contents: wire.raw.map(({ begin, end }) => Uint8Array.from(bytes.subarray(begin, end))),
  };
}

function plainParameters(parameters: WireParameters): Record<string, TwinParameter> {
  const entries = [...parameters].map(([key, { kind, value }]): [string, TwinParameter] => {
    if (kind === 'none') return [key, {}];
    return [key, { [`${kind}_param`]: kind.includes('int') ? String(value) : value }];
  });
  return Object.fromEntries(entries);
}

function parse(bytes: Buffer): WireInferRequest {
  return parseInferRequest(bytes, 0, bytes.length);
}

test('any message that protobufjs writes is read as it was', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const bytes = encodeRequest(request);
      expect(plain(parse(bytes), bytes)).toEqual(request);
    }),
    { numRuns: 500 },
  );
});

test('unknown fields are skipped, wherever they stand between fields', () => {
  const fieldsOf = (request: TwinRequest) =>
    Object.entries(request).flatMap(([name, value]) => {
      const parts = Array.isArray(value) ? value.map((element) => [element]) : [value];
      return parts.map((part) => encodeRequest({ [name]: part }));
    });
  fc.assert(
    fc.property(anyRequest, fc.array(unknownField, { minLength: 1 }), fc.nat(), (request, unknown, seed) => {
      const parts = fieldsOf(request);
      for (const part of unknown) parts.splice(seed % (parts.length + 1), 0, part);
      const bytes = Buffer.concat(parts);
      expect(plain(parse(bytes), bytes)).toEqual(request);
    }),
  );
});

test('fields may come in any order, and of singular ones the last counts', () => {
  const bytes = Buffer.concat([
    encodeRequest({ raw_input_contents: [Uint8Array.of(1)] }),
    encodeRequest({ id: 'first', model_name: 'a' }),
    encodeRequest({ raw_input_contents: [Uint8Array.of(2)], id: 'last' }),
  ]);
  const wire = parse(bytes);
  expect(plain(wire, bytes)).toMatchObject({
    id: 'last',
    model_name: 'a',
    raw_input_contents: [[1], [2]].map((list) => Uint8Array.from(list)),
  });
  expect(wire.isOrdered).toBe(false);
});

test('a message cut anywhere, or with any byte changed, is read or refused by name, never else', () => {
  fc.assert(
    fc.property(anyRequest, fc.nat(), fc.nat({ max: 255 }), (request, seed, value) => {
      const bytes = encodeRequest(request);
      const at = seed % (bytes.length + 1);
      expectReadOrRefused(bytes.subarray(0, at));
      const changed = Buffer.from(bytes);
      changed[at] = value;
      expectReadOrRefused(changed);
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => expectReadOrRefused(Buffer.from(bytes))));
});

function expectReadOrRefused(bytes: Buffer): void {
  try {
    parse(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe('INVALID_ARGUMENT');
  }
}

describe('refused by name', () => {
  test.each([
    [
      'a field that ends behind the message',
      Buffer.from('0a05ab', 'hex'),
      /a field of 5 bytes ends behind the message, of which 1 bytes are left/,
    ],
    ['a length of 2^63', Buffer.concat([Buffer.from([0x0a]), varint(2n ** 63n)]), /ends behind the message/],
    [
      'a varint of 11 bytes',
      Buffer.concat([Buffer.from([0x0a]), Buffer.alloc(11, 0x80)]),
      /a varint has more than 10 bytes/,
    ],
    ['the field 0', Buffer.from([0x02, 0x00]), /a field has the number 0/],
    ['the wire type 6', Buffer.from([0x0e, 0x00]), /wire type 6/],
    ['the end of a group that never began', Buffer.from([0x0c]), /wire type 4/],
    ['groups without end', Buffer.alloc(1000, 0xa3), /cannot be read/],
    ['a string that is no UTF-8', field(1, 2, Buffer.from([0xff])), /not UTF-8/],
    ['an input with 17 dimensions', field(5, 2, field(3, 2, Buffer.alloc(17, 1))), /16 dimensions at most/],
    ['4097 inputs', Buffer.concat(new Array(4097).fill(field(5, 2, Buffer.alloc(0)))), /4096 inputs at most/],
    ['4097 raw entries', Buffer.concat(new Array(4097).fill(field(7, 2, Buffer.alloc(0)))), /4096 raw_input_contents/],
  ])('%s', (_, bytes, text) => {
    expect(() => parse(bytes)).toThrow(text);
    expect(() => parse(bytes)).toThrow(ServerError);
  });
});

test('the dimensions of a shape may be packed or not', () => {
  const unpacked = field(
    5,
    2,
    Buffer.concat([field(3, 0, varint(7)), field(3, 2, varint(300)), field(3, 0, varint(-1))]),
  );
  expect(parse(unpacked).inputs[0]!.shape).toEqual([7, 300, -1]);
});
