import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { type MessageSchema, protoFile, schemaOf } from '../config/schema.js';
import { type Message, TypeCodec } from './message-type.js';
import { longText, shortText } from './text-format.js';

let root: protobuf.Root | null = null;

function trtisRoot(): protobuf.Root {
  if (root === null) {
    root = protobuf.parse(readFileSync(protoFile('trtis.proto'), 'utf8'), { keepCase: true }).root;
    root.resolveAll();
  }
  return root;
}

/** A message of `proto/trtis.proto`, in all of its forms. */
export class V1Message {
  readonly schema: MessageSchema;
  readonly #codec: TypeCodec;

  /** @param name without its package */
  constructor(name: string) {
    const type = trtisRoot().lookupType(`nvidia.inferenceserver.${name}`);
    this.schema = schemaOf(type);
    this.#codec = new TypeCodec(type);
  }

  /** As `TypeCodec.decodePlain`. */
  decodePlain(bytes: Uint8Array): Message {
    return this.#codec.decodePlain(bytes);
  }

  /** On one line, for headers. */
  line(message: object): string {
    return shortText(message, this.schema);
  }

  text(message: object): string {
    return longText(message, this.schema);
  }

  binary(message: object): Uint8Array {
    return this.#codec.encode(message);
  }

  json(message: object): string {
    return this.#codec.json(message);
  }
}
