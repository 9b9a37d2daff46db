import { FRAME_BYTES_MIN, FRAME_HEADER_BYTES } from '../../../../src/transport/http2/wire.js';
import { BadAnswer } from '../failures.js';

/** Takes whole frames; `bytes[start, end)` is the payload, valid during the call. */
export interface FrameUser {
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** Nothing more is wanted. */
  readonly isStopped: boolean;
}

/** Cuts what comes from a socket into frames of at most `FRAME_BYTES_MIN`, which is what we let the server send. */
export class FrameReader {
  readonly #user: FrameUser;
  /** The beginning of a frame whose rest has not come. */
  readonly #rest = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + FRAME_BYTES_MIN);
  #restBytes = 0;

  constructor(user: FrameUser) {
    this.#user = user;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    let at = this.#restBytes === 0 ? start : this.#completeRest(bytes, start, end);
    while (end - at >= FRAME_HEADER_BYTES && !this.#user.isStopped) {
      const frameEnd = at + frameBytes(bytes, at);
      if (frameEnd > end) break;
      this.#emit(bytes, at, frameEnd);
      at = frameEnd;
    }
    if (at < end) this.#keep(bytes, at, end);
  }

  /** @returns where the bytes go on behind the frame */
  #completeRest(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#restBytes < FRAME_HEADER_BYTES) {
      at = Math.min(end, start + FRAME_HEADER_BYTES - this.#restBytes);
      this.#keep(bytes, start, at);
      if (this.#restBytes < FRAME_HEADER_BYTES) return at;
    }
    const frameEnd = frameBytes(this.#rest, 0);
    const begin = at;
    at = Math.min(end, begin + frameEnd - this.#restBytes);
    this.#keep(bytes, begin, at);
    if (this.#restBytes === frameEnd) {
      this.#restBytes = 0;
      this.#emit(this.#rest, 0, frameEnd);
    }
    return at;
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#restBytes += bytes.copy(this.#rest, this.#restBytes, start, end);
  }

  #emit(bytes: Buffer, at: number, end: number): void {
    const streamId = bytes.readInt32BE(at + 5) & 0x7fff_ffff;
    this.#user.onFrame(bytes[at + 3]!, bytes[at + 4]!, streamId, bytes, at + FRAME_HEADER_BYTES, end);
  }
}

/** Of the frame that begins at `at`, with its header. */
function frameBytes(bytes: Buffer, at: number): number {
  const payload = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  if (payload > FRAME_BYTES_MIN) {
    throw new BadAnswer(`a frame of ${payload} bytes, where at most ${FRAME_BYTES_MIN} are allowed; is this HTTP/2?`);
  }
  return FRAME_HEADER_BYTES + payload;
}
