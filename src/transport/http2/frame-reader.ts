import { ByteCollector } from './byte-collector.js';
import { ConnectionError } from './errors.js';
import { checkFrameHeader } from './frame-rules.js';
import { ErrorCode, Flag, FRAME_HEADER_BYTES, FrameType, STREAM_ID_MAX } from './wire.js';

/** Takes frames in the order of the wire. Byte ranges are valid only during the call. Whatever it throws leaves `read`. */
export interface FrameSink {
  /** Before anything else of each frame; its payload may still be on the way. */
  begin(type: number, flags: number, streamId: number, length: number): void;
  /** A part of a DATA frame without its padding, never empty. */
  data(bytes: Buffer, start: number, end: number): void;
  /** The DATA frame is complete, padding included. */
  dataEnd(flags: number, padding: number): void;
  /** The whole payload of a frame of another known type. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
}

type Expects = 'header' | 'payload' | 'pad length' | 'data' | 'padding' | 'unknown payload';

/**
 * Cuts a byte stream into frames, wherever its chunks end. Payloads are handed on where they lie; only what is split and must be
 * seen whole is copied: frame headers and frames but DATA, which are bounded by `lengthMax`.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #lengthMax: number;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerLength = 0;
  readonly #payload = new ByteCollector();

  #expects: Expects = 'header';
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Of the payload, not yet seen. */
  #left = 0;
  /** Octets of padding and of the field that says how many. */
  #padding = 0;

  /** @param lengthMax our SETTINGS_MAX_FRAME_SIZE */
  constructor(sink: FrameSink, lengthMax: number) {
    this.#sink = sink;
    this.#lengthMax = lengthMax;
  }

  /** Some is here of a header, or of a frame that is handed on when it is whole, and the rest is not. */
  get isInWholeFrame(): boolean {
    return this.#expects === 'payload' || this.#headerLength > 0;
  }

  read(chunk: Buffer, start: number): void {
    let at = start;
    while (at < chunk.length) at = this.#step(chunk, at);
  }

  /** Takes what it can from `at` on; the result is where the rest begins. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#expects) {
      case 'header':
        return this.#readHeader(chunk, at);
      case 'data':
        return this.#readData(chunk, at);
      case 'payload':
        return this.#collectPayload(chunk, at);
      case 'pad length':
        return this.#readPadLength(chunk, at);
      default:
        return this.#skip(chunk, at);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#headerLength === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
      return this.#beginFrame(chunk, at, chunk, at + FRAME_HEADER_BYTES);
    }
    const end = Math.min(chunk.length, at + FRAME_HEADER_BYTES - this.#headerLength);
    this.#headerLength += chunk.copy(this.#header, this.#headerLength, at, end);
    if (this.#headerLength < FRAME_HEADER_BYTES) return end;
    this.#headerLength = 0;
    return this.#beginFrame(this.#header, 0, chunk, end);
  }

  #beginFrame(header: Buffer, headerAt: number, chunk: Buffer, at: number): number {
    const length = (header[headerAt]! << 16) | (header[headerAt + 1]! << 8) | header[headerAt + 2]!;
    this.#type = header[headerAt + 3]!;
    this.#flags = header[headerAt + 4]!;
    this.#streamId =
      ((header[headerAt + 5]! << 24) |
        (header[headerAt + 6]! << 16) |
        (header[headerAt + 7]! << 8) |
        header[headerAt + 8]!) &
      STREAM_ID_MAX;
    this.#left = length;
    checkFrameHeader(this.#type, this.#streamId, length, this.#lengthMax);
    this.#sink.begin(this.#type, this.#flags, this.#streamId, length);
    if (this.#type === FrameType.DATA) return this.#beginData(at);
    return this.#beginPayload(chunk, at);
  }

  #beginData(at: number): number {
    this.#padding = 0;
    if ((this.#flags & Flag.PADDED) !== 0) {
      if (this.#left === 0) throw tooMuchPadding();
      this.#expects = 'pad length';
    } else {
      this.#expects = 'data';
      if (this.#left === 0) this.#endData();
    }
    return at;
  }

  #beginPayload(chunk: Buffer, at: number): number {
    const end = at + this.#left;
    if (this.#type > FrameType.CONTINUATION) {
      this.#expects = this.#left === 0 ? 'header' : 'unknown payload';
      return at;
    }
    if (end <= chunk.length) {
      this.#sink.frame(this.#type, this.#flags, this.#streamId, chunk, at, end);
      return end;
    }
    this.#expects = 'payload';
    return at;
  }

  #collectPayload(chunk: Buffer, at: number): number {
    const end = this.#takeTo(chunk, at, this.#left);
    this.#payload.add(chunk, at, end);
    if (this.#left > 0) return end;
    this.#expects = 'header';
    this.#sink.frame(this.#type, this.#flags, this.#streamId, this.#payload.bytes, 0, this.#payload.length);
    this.#payload.clear();
    return end;
  }

  /** 6.1: the padding must leave room for its own length field. */
  #readPadLength(chunk: Buffer, at: number): number {
    const padLength = chunk[at]!;
    this.#left--;
    if (padLength > this.#left) throw tooMuchPadding();
    this.#padding = 1 + padLength;
    this.#left -= padLength;
    this.#expects = 'data';
    if (this.#left === 0) this.#beginPadding();
    return at + 1;
  }

  #readData(chunk: Buffer, at: number): number {
    const end = this.#takeTo(chunk, at, this.#left);
    this.#sink.data(chunk, at, end);
    if (this.#left === 0) this.#beginPadding();
    return end;
  }

  #beginPadding(): void {
    this.#left = Math.max(0, this.#padding - 1);
    if (this.#left === 0) this.#endData();
    else this.#expects = 'padding';
  }

  #endData(): void {
    this.#expects = 'header';
    this.#sink.dataEnd(this.#flags, this.#padding);
  }

  #skip(chunk: Buffer, at: number): number {
    const end = this.#takeTo(chunk, at, this.#left);
    if (this.#left > 0) return end;
    if (this.#expects === 'padding') this.#endData();
    else this.#expects = 'header';
    return end;
  }

  #takeTo(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + wanted);
    this.#left -= end - at;
    return end;
  }
}

function tooMuchPadding(): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'the padding of DATA is not shorter than its payload');
}
