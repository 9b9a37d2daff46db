import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** What reading and writing a message needs to know of its fields; made from `proto/model_config.proto` once. */
export interface MessageSchema {
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldSchema>;
}

export interface FieldSchema {
  readonly name: string;
  readonly number: number;
  readonly kind: 'message' | 'enum' | 'scalar';
  /** Protobuf's name of a scalar: `int64`, `string`, ... '' for others. */
  readonly scalar: string;
  /** Name to number, for enums. */
  readonly values: Readonly<Record<string, number>>;
  /** Null where the kind is not 'message'. */
  readonly message: MessageSchema | null;
  readonly repeated: boolean;
  /** Name of the oneof it belongs to; '' = none. */
  readonly oneof: string;
  /** Scalar type of the keys of a map; '' = no map. */
  readonly mapKey: string;
}

let modelConfig: MessageSchema | null = null;

/** The ModelConfig message. Read on first use. */
export function modelConfigSchema(): MessageSchema {
  if (modelConfig === null) {
    const text = readFileSync(protoFile('model_config.proto'), 'utf8');
    const { root } = protobuf.parse(text, { keepCase: true });
    modelConfig = messageSchema(root.lookupType('inference.ModelConfig').resolveAll() as protobuf.Type, new Map());
  }
  return modelConfig;
}

/** Of any other message: its type is resolved. */
export function schemaOf(type: protobuf.Type): MessageSchema {
  return messageSchema(type, new Map());
}

/** `proto/` lies beside package.json, wherever this file was compiled to. */
export function protoFile(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return join(folder, 'proto', name);
}

function messageSchema(type: protobuf.Type, known: Map<protobuf.Type, MessageSchema>): MessageSchema {
  const made = known.get(type);
  if (made !== undefined) return made;
  const fields = new Map<string, FieldSchema>();
  const schema: MessageSchema = { name: type.name, fields };
  known.set(type, schema);
  for (const field of type.fieldsArray) fields.set(field.name, fieldSchema(field, known));
  return schema;
}

function fieldSchema(field: protobuf.Field, known: Map<protobuf.Type, MessageSchema>): FieldSchema {
  const resolved = field.resolve().resolvedType;
  const isMessage = resolved instanceof protobuf.Type;
  const isEnum = resolved instanceof protobuf.Enum;
  return {
    name: field.name,
    number: field.id,
    kind: isMessage ? 'message' : isEnum ? 'enum' : 'scalar',
    scalar: isMessage || isEnum ? '' : field.type,
    values: isEnum ? resolved.values : {},
    message: isMessage ? messageSchema(resolved, known) : null,
    repeated: field.repeated,
    oneof: field.partOf?.name ?? '',
    mapKey: field instanceof protobuf.MapField ? field.keyType : '',
  };
}

/** A message with nothing set: scalars at their default, lists and maps empty, messages and oneof branches absent. */
export function emptyMessage(schema: MessageSchema): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of schema.fields.values()) {
    if (field.mapKey !== '') message[field.name] = Object.create(null);
    else if (field.repeated) message[field.name] = [];
    else if (field.kind !== 'message' && field.oneof === '') message[field.name] = defaultValue(field);
  }
  return message;
}

export function defaultValue(field: FieldSchema): unknown {
  if (field.kind === 'enum') return Object.keys(field.values)[0];
  if (field.scalar === 'string') return '';
  return field.scalar === 'bool' ? false : 0;
}
