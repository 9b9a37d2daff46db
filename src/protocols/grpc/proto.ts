import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { protoFile } from '../../config/schema.js';
import { type Message, TypeCodec } from '../message-type.js';

/** The files in `proto/`, each behind those it imports. */
export const PROTO_FILES = [
  'model_config.proto',
  'grpc_service.proto',
  'health.proto',
  'reflection_v1.proto',
  'reflection_v1alpha.proto',
  'trtis.proto',
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
export type ProtoMessage = Message;

/** A message of any file in `proto/`. */
export class MessageType extends TypeCodec {
  constructor(fullName: string) {
    super(protoRoot().lookupType(fullName));
  }
}
