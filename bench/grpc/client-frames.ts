import { encodeFields, type HeaderBlock } from '../../src/transport/http2/hpack/encoder.js';
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
  Setting,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
} from '../../src/transport/http2/wire.js';
import { streamPath, unaryPath } from './messages.js';

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The window of a stream, or of the connection, opened by so much. */
export function windowUpdate(streamId: number, bytes: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(bytes));
}

/** What a connection begins with: no server push, and windows as wide as there are. */
export function opening(): Buffer {
  const settings = Buffer.alloc(12);
  settings.writeUInt16BE(Setting.ENABLE_PUSH, 0);
  settings.writeUInt16BE(Setting.INITIAL_WINDOW_SIZE, 6);
  settings.writeUInt32BE(WINDOW_BYTES_MAX, 8);
  const window = windowUpdate(0, WINDOW_BYTES_MAX - WINDOW_BYTES_INITIAL);
  return Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0, settings), window]);
}

function requestHead(path: string): HeaderBlock {
  return encodeFields([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', '127.0.0.1'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]);
}

const unaryHead = frame(FrameType.HEADERS, Flag.END_HEADERS, 0, requestHead(unaryPath).bytes);

/** A whole call; the stream's number goes to the places `idOffsets`. */
export interface CallTemplate {
  readonly bytes: Buffer;
  readonly idOffsets: readonly [number, number];
}

const ID_OFFSET = 5;

export function callTemplate(body: Buffer): CallTemplate {
  const data = frame(FrameType.DATA, Flag.END_STREAM, 0, body);
  return { bytes: Buffer.concat([unaryHead, data]), idOffsets: [ID_OFFSET, unaryHead.length + ID_OFFSET] };
}

/** The head of a stream of messages. */
export function streamOpening(streamId: number): Buffer {
  return frame(FrameType.HEADERS, Flag.END_HEADERS, streamId, requestHead(streamPath).bytes);
}
