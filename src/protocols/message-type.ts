import type protobuf from 'protobufjs';

/** A message with the names of the .proto file; 64-bit integers are Long. */
export type Message = { readonly [field: string]: unknown };

/** Reads and writes messages that are rare: those of inference are read and written by hand. */
export class TypeCodec {
  readonly #type: protobuf.Type;

  constructor(type: protobuf.Type) {
    this.#type = type;
  }

  /** Throws an Error for what is no message. */
  decode(bytes: Uint8Array): Message {
    return this.#type.decode(bytes) as unknown as Message;
  }

  /** As `decode`, with everything that is not set at its default, messages null; 64-bit integers are the nearest numbers. */
  decodePlain(bytes: Uint8Array): Message {
    return this.#type.toObject(this.#type.decode(bytes), { longs: Number, enums: String, defaults: true });
  }

  /** 64-bit integers may be numbers, strings or bigints, enums names or numbers. */
  encode(message: object): Uint8Array {
    return this.#type.encode(this.#type.fromObject(withoutBigints(message) as object)).finish();
  }

  /** As protobuf's JSON with the names of the .proto file: what is not set is left out, 64-bit integers are strings. */
  json(message: object): string {
    const own = this.#type.fromObject(withoutBigints(message) as object);
    return JSON.stringify(this.#type.toObject(own, { longs: String, enums: String, bytes: String }));
  }
}

/** protobufjs does not know bigints, but strings. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutBigints(member)]));
}
