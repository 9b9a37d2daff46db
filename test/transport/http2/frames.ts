import { DumbDecoder, dumbInteger, dumbString, type Pair } from './hpack/dumb-hpack.js';

/** Frames as a client builds and reads them, independent of the code under test. */

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITIZED = 0x20;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

export function settings(...pairs: [identifier: number, value: number][]): Buffer {
  const payload = pairs.map(([identifier, value]) => Buffer.concat([Buffer.of(0, identifier), uint32(value)]));
  return frame(SETTINGS, 0, 0, Buffer.concat(payload));
}

export const settingsAck = frame(SETTINGS, ACK, 0);

/** Literals without indexing and without Huffman. */
export function block(...fields: Pair[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [dumbInteger(0, 4, 0), dumbString(name), dumbString(value)]));
}

export const requestFields: Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/echo'],
  [':authority', 'test'],
];

export function headers(streamId: number, flags = 0, fields: Pair[] = requestFields): Buffer {
  return frame(HEADERS, END_HEADERS | flags, streamId, block(...fields));
}

export function data(streamId: number, bytes: Buffer | string, flags = 0): Buffer {
  return frame(DATA, flags, streamId, Buffer.from(bytes as string));
}

export function paddedData(streamId: number, bytes: string, padding: number, flags = 0): Buffer {
  return frame(
    DATA,
    PADDED | flags,
    streamId,
    Buffer.concat([Buffer.of(padding), Buffer.from(bytes), Buffer.alloc(padding)]),
  );
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(WINDOW_UPDATE, 0, streamId, uint32(increment));
}

export function reset(streamId: number, code = 8): Buffer {
  return frame(RST_STREAM, 0, streamId, uint32(code));
}

export const ping = frame(PING, 0, 0, Buffer.from('12345678'));

export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
  /** Of HEADERS. */
  readonly fields: Pair[];
}

/** Reads what a server wrote; keeps what is not a whole frame yet. */
export class FrameLog {
  readonly #decoder = new DumbDecoder();
  #rest = Buffer.alloc(0);

  read(bytes: Buffer): ReadFrame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: ReadFrame[] = [];
    while (this.#rest.length >= 9 && this.#rest.length >= 9 + this.#rest.readUIntBE(0, 3)) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      const payload = this.#rest.subarray(9, end);
      const type = this.#rest[3]!;
      const fields = type === HEADERS && (this.#rest[4]! & END_HEADERS) !== 0 ? this.#decoder.decode(payload) : [];
      frames.push({ type, flags: this.#rest[4]!, streamId: this.#rest.readUInt32BE(5), payload, fields });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
