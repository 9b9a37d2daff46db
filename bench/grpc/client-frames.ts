import { encodeFields, type HeaderBlock } from '../../src/transport/http2/hpack/encoder.js';
import { Flag, FrameType } from '../../src/transport/http2/wire.js';
import { frame, uint32 } from '../load/wires/http2/control-frames.js';
import { streamPath, unaryPath } from './messages.js';

/** The window of a stream, or of the connection, opened by so much. */
export function windowUpdate(streamId: number, bytes: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(bytes));
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
