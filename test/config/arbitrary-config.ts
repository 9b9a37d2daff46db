import fc from 'fast-check';
import type { ModelConfig } from '../../src/config/model-config.js';
import { emptyMessage, type FieldSchema, type MessageSchema, modelConfigSchema } from '../../src/config/schema.js';

type Message = Record<string, unknown>;

/** Any ModelConfig: each field of the message in some of them, one branch of a oneof at most. */
export function anyModelConfig(): fc.Arbitrary<ModelConfig> {
  return anyMessage(modelConfigSchema()) as fc.Arbitrary<unknown> as fc.Arbitrary<ModelConfig>;
}

function anyMessage(schema: MessageSchema): fc.Arbitrary<Message> {
  const fields = [...schema.fields.values()].map((field) =>
    fc.option(anyField(field), { nil: undefined }).map((value) => ({ field, value })),
  );
  return fc.tuple(fc.nat(), fc.tuple(...fields)).map(([branch, values]) => {
    const message = emptyMessage(schema);
    for (const { field, value } of values) {
      if (value !== undefined && isChosen(schema, field, branch)) message[field.name] = value;
    }
    return message;
  });
}

function isChosen(schema: MessageSchema, field: FieldSchema, branch: number): boolean {
  if (field.oneof === '') return true;
  const branches = [...schema.fields.values()].filter((other) => other.oneof === field.oneof);
  return branches[branch % branches.length] === field;
}

function anyField(field: FieldSchema): fc.Arbitrary<unknown> {
  if (field.mapKey !== '') return anyMap(field);
  return field.repeated ? fc.array(anyItem(field), { maxLength: 3 }) : anyItem(field);
}

function anyMap(field: FieldSchema): fc.Arbitrary<Message> {
  const key = field.mapKey === 'string' ? anyString() : fc.bigInt(0n, 2n ** 64n - 1n).map(String);
  return fc.dictionary(key, anyItem(field), { maxKeys: 3, noNullPrototype: false }).map((map) => {
    return Object.assign(Object.create(null), map) as Message;
  });
}

function anyItem(field: FieldSchema): fc.Arbitrary<unknown> {
  if (field.message !== null) return anyMessage(field.message);
  if (field.kind === 'enum') return fc.constantFrom(...Object.keys(field.values));
  return scalars[field.scalar]!;
}

function anyString(): fc.Arbitrary<string> {
  return fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 12 }));
}

function integer(least: bigint, most: bigint): fc.Arbitrary<number | bigint> {
  return fc.bigInt(least, most).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
}

const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: anyString(),
  bool: fc.boolean(),
  float: fc.float(),
  double: fc.double(),
  int32: integer(-(2n ** 31n), 2n ** 31n - 1n),
  uint32: integer(0n, 2n ** 32n - 1n),
  int64: integer(-(2n ** 63n), 2n ** 63n - 1n),
  uint64: integer(0n, 2n ** 64n - 1n),
};
