import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { protoFile } from '../../config/schema.js';

/** The files in `proto/`, each behind those it imports. */
export const PROTO_FILES = [
  'model_config.proto',
  'grpc_service.proto',
  'health.proto',
  'reflection_v1.proto',
  'reflection_v1alpha.proto',
] as const;

let root: protobuf.Root | null = null;

/** All messages and services, resolved; each knows the file it comes from. Read on first use. */
export function protoRoot(): protobuf.Root {
  if (root !== null) return root;
  const read = new protobuf.Root();
  const parse = protobuf.parse as typeof protobuf.parse & { filename: string | null };
  for (const name of PROTO_FILES) {
    parse.filename = name;
    parse(readFileSync(protoFile(name), 'utf8'), read, { keepCase: true });
  }
  parse.filename = null;
  read.resolveAll();
  root = read;
  return read;
}

/** A message with the names of the .proto file; 64-bit integers are Long. */
export type ProtoMessage = { readonly [field: string]: unknown };

/** Reads and writes messages that are rare: those of inference are read and written by hand. */
export class MessageType {
  readonly #type: protobuf.Type;

  constructor(fullName: string) {
    this.#type = protoRoot().lookupType(fullName);
  }

  /** Throws an Error for what is no message. */
  decode(bytes: Uint8Array): ProtoMessage {
    return this.#type.decode(bytes) as unknown as ProtoMessage;
  }

  /** 64-bit integers may be numbers, strings or bigints, enums names or numbers. */
  encode(message: object): Uint8Array {
    return this.#type.encode(this.#type.fromObject(withoutBigints(message) as object)).finish();
  }
}

/** protobufjs does not know bigints, but strings. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutBigints(member)]));
}
