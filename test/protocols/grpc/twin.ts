import fc from 'fast-check';
import { protoRoot } from '../../../src/protocols/grpc/proto.js';

const requestType = protoRoot().lookupType('inference.ModelInferRequest');

/** A ModelInferRequest as protobufjs has it: the dumb twin of our own reading. */
export interface TwinRequest {
  readonly model_name?: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, TwinParameter>>;
  readonly inputs?: readonly TwinInput[];
  readonly outputs?: readonly {
    readonly name: string;
    readonly parameters?: Readonly<Record<string, TwinParameter>>;
  }[];
  readonly raw_input_contents?: readonly Uint8Array[];
}

export interface TwinInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (number | string)[];
  readonly parameters?: Readonly<Record<string, TwinParameter>>;
  readonly contents?: Readonly<Record<string, readonly unknown[]>>;
}

/** 64-bit integers as decimal text. */
export type TwinParameter = Readonly<
  Partial<Record<'bool_param' | 'int64_param' | 'string_param' | 'double_param' | 'uint64_param', unknown>>
>;

export function encodeRequest(request: TwinRequest): Buffer {
  return Buffer.from(requestType.encode(requestType.fromObject(request)).finish());
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);

export const parameter: fc.Arbitrary<TwinParameter> = fc.oneof(
  fc.boolean().map((bool_param) => ({ bool_param })),
  int64.map((int64_param) => ({ int64_param })),
  fc.string({ unit: 'binary' }).map((string_param) => ({ string_param })),
  fc.double().map((double_param) => ({ double_param })),
  uint64.map((uint64_param) => ({ uint64_param })),
  fc.constant({}),
);

const text = fc.string({ unit: 'binary', maxLength: 20 });
// protobufjs cannot carry a key __proto__.
const key = text.filter((name) => name !== '__proto__');
const parameters = fc.array(fc.tuple(key, parameter), { maxLength: 3 }).map((list) => Object.fromEntries(list));

const input: fc.Arbitrary<TwinInput> = fc.record({
  name: text,
  datatype: fc.constantFrom('FP32', 'BYTES', 'x'),
  shape: fc.array(fc.integer({ min: -5, max: 2 ** 31 - 1 }), { maxLength: 5 }),
  parameters,
});

export const anyRequest: fc.Arbitrary<TwinRequest> = fc.record({
  model_name: text,
  model_version: text,
  id: text,
  parameters,
  inputs: fc.array(input, { maxLength: 4 }),
  outputs: fc.array(fc.record({ name: text, parameters }), { maxLength: 3 }),
  raw_input_contents: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
});

/** A varint, written without cleverness. */
export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

export function field(number: number, wireType: number, content: Uint8Array): Buffer {
  const head = varint(number * 8 + wireType);
  return Buffer.concat(wireType === 2 ? [head, varint(content.length), content] : [head, content]);
}

/** A field that no message of ours has. */
export const unknownField: fc.Arbitrary<Buffer> = fc
  .tuple(fc.integer({ min: 100, max: 2 ** 29 - 1 }), fc.constantFrom(0, 1, 2, 3, 5), fc.uint8Array({ maxLength: 40 }))
  .map(([number, wireType, content]) => {
    if (wireType === 0) return field(number, 0, varint(content.length * 12345));
    if (wireType === 1) return field(number, 1, Buffer.alloc(8, 7));
    if (wireType === 5) return field(number, 5, Buffer.alloc(4, 7));
    if (wireType === 2) return field(number, 2, content);
    return Buffer.concat([varint(number * 8 + 3), field(200, 2, content), varint(number * 8 + 4)]);
  });
