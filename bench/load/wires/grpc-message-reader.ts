import { ByteCollector } from './byte-collector.js';
import { BadAnswer } from './failures.js';

/** A flag, and the length in 4 bytes. */
const PREFIX_BYTES = 5;

/** A message that says that it is longer is collected without room made for it at once. */
const EXPECTED_BYTES_MAX = 2 ** 26;

/** `bytes[start, end)` is a message, valid during the call. */
export type OnMessage = (bytes: Buffer, start: number, end: number) => void;

/** Finds the messages in the body of a call of gRPC, wherever it is cut. A message that comes at once is not copied. */
export class GrpcMessageReader {
  readonly #onMessage: OnMessage;
  readonly #collected = new ByteCollector();
  /** Of the collected message, with its prefix; 0 = the prefix is not whole yet. */
  #expectedBytes = 0;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /** Something of a message has come, not all. */
  get isWithin(): boolean {
    return this.#collected.length > 0;
  }

  /** A message in these bytes stays until the next one begins. */
  owns(bytes: Buffer): boolean {
    return bytes === this.#collected.bytes;
  }

  reset(): void {
    this.#collected.reset();
    this.#expectedBytes = 0;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    let at = this.isWithin ? this.#complete(bytes, start, end) : start;
    while (end - at >= PREFIX_BYTES) {
      const messageEnd = at + messageBytes(bytes, at);
      if (messageEnd > end) break;
      this.#onMessage(bytes, at + PREFIX_BYTES, messageEnd);
      at = messageEnd;
    }
    if (at < end) this.#begin(bytes, at, end);
  }

  #begin(bytes: Buffer, start: number, end: number): void {
    this.#expectedBytes = end - start >= PREFIX_BYTES ? messageBytes(bytes, start) : 0;
    this.#collected.reset(Math.min(this.#expectedBytes, EXPECTED_BYTES_MAX));
    this.#collected.append(bytes, start, end);
  }

  /** @returns where the bytes go on */
  #complete(bytes: Buffer, start: number, end: number): number {
    const collected = this.#collected;
    let at = start;
    if (this.#expectedBytes === 0) {
      at = this.#collect(bytes, at, Math.min(end, at + PREFIX_BYTES - collected.length));
      if (collected.length < PREFIX_BYTES) return at;
      this.#expectedBytes = messageBytes(collected.bytes, 0);
    }
    at = this.#collect(bytes, at, Math.min(end, at + this.#expectedBytes - collected.length));
    if (collected.length < this.#expectedBytes) return at;
    collected.length = 0;
    this.#onMessage(collected.bytes, PREFIX_BYTES, this.#expectedBytes);
    return at;
  }

  #collect(bytes: Buffer, start: number, end: number): number {
    this.#collected.append(bytes, start, end);
    return end;
  }
}

/** With its prefix. */
function messageBytes(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0) throw new BadAnswer('a compressed message, which was not asked for');
  return PREFIX_BYTES + bytes.readUInt32BE(at + 1);
}
