import { ByteCollector } from './byte-collector.js';
import { BadAnswer } from './failures.js';
import { UnitSplitter } from './unit-splitter.js';

/** RFC 6455, 5.2: the first two bytes. */
const FIN = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;

export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Takes what comes; `bytes[start, end)` is valid during the call. */
export interface FramesUser {
  onMessage(isText: boolean, bytes: Buffer, start: number, end: number): void;
  /** A ping, a pong or a close. */
  onControl(opcode: number, bytes: Buffer, start: number, end: number): void;
}

/** Finds the messages in what a server sends, wherever it is cut. One that comes at once, in one frame, is not copied. */
export class FrameReader {
  readonly #user: FramesUser;
  readonly #splitter = new UnitSplitter(frameBytes, (bytes, at, end) => this.#onFrame(bytes, at, end));
  readonly #fragments = new ByteCollector();
  /** Of the message whose fragments come; 0 = there is none. */
  #opcode = 0;

  constructor(user: FramesUser) {
    this.#user = user;
  }

  /** Something of a message has come, not all. */
  get isWithin(): boolean {
    return this.#opcode !== 0 || this.#splitter.isWithin;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#splitter.feed(bytes, start, end);
  }

  stop(): void {
    this.#splitter.isStopped = true;
  }

  #onFrame(bytes: Buffer, at: number, end: number): void {
    const opcode = bytes[at]! & OPCODE;
    const isLast = (bytes[at]! & FIN) !== 0;
    const start = at + headBytes(bytes[at + 1]!);
    if ((bytes[at]! & RESERVED) !== 0) throw new BadAnswer('a frame of an extension that was not agreed to');
    if (opcode >= Opcode.CLOSE) this.#user.onControl(opcode, bytes, start, end);
    else if (isLast && opcode !== Opcode.CONTINUATION) this.#user.onMessage(opcode === Opcode.TEXT, bytes, start, end);
    else this.#onFragment(opcode, isLast, bytes, start, end);
  }

  #onFragment(opcode: number, isLast: boolean, bytes: Buffer, start: number, end: number): void {
    if ((opcode === Opcode.CONTINUATION) !== (this.#opcode !== 0))
      throw new BadAnswer('fragments of messages are mixed');
    if (opcode !== Opcode.CONTINUATION) {
      this.#opcode = opcode;
      this.#fragments.reset();
    }
    this.#fragments.append(bytes, start, end);
    if (!isLast) return;
    const isText = this.#opcode === Opcode.TEXT;
    this.#opcode = 0;
    this.#user.onMessage(isText, this.#fragments.bytes, 0, this.#fragments.length);
  }
}

/** Of the frame that begins at `at`; 0 = its length has not come. */
function frameBytes(bytes: Buffer, at: number, available: number): number {
  if (available < 2) return 0;
  const second = bytes[at + 1]!;
  if ((second & MASKED) !== 0) throw new BadAnswer('a masked frame, which only clients send');
  const head = headBytes(second);
  if (available < head) return 0;
  if (second < LENGTH_16) return head + second;
  if (second === LENGTH_16) return head + bytes.readUInt16BE(at + 2);
  return head + bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
}

/** Of a frame without a mask. */
function headBytes(second: number): number {
  const length = second & LENGTH;
  if (length === LENGTH_64) return 10;
  return length === LENGTH_16 ? 4 : 2;
}

/** A whole control frame of a client; its mask is zero. */
export function controlFrame(opcode: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(2 + MASK_BYTES);
  head[0] = FIN | opcode;
  head[1] = MASKED | payload.length;
  return Buffer.concat([head, payload]);
}
