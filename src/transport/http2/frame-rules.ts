import { ConnectionError } from './errors.js';
import {
  ErrorCode,
  FrameType,
  frameName,
  GOAWAY_BYTES_MIN,
  PING_BYTES,
  RST_STREAM_BYTES,
  SETTING_BYTES,
  WINDOW_UPDATE_BYTES,
} from './wire.js';

/** What the 9 octets of a frame header must keep by themselves (4.2 and section 6). Throws a ConnectionError. */
export function checkFrameHeader(type: number, streamId: number, length: number, lengthMax: number): void {
  if (length > lengthMax) {
    throw wrongSize(type, `at most ${lengthMax} bytes`, length);
  }
  switch (type) {
    case FrameType.DATA:
    case FrameType.HEADERS:
    case FrameType.CONTINUATION:
    case FrameType.PRIORITY: // 6.3: its size is a matter of its stream
      needsStream(type, streamId);
      return;
    case FrameType.RST_STREAM:
      needsStream(type, streamId);
      needsSize(type, RST_STREAM_BYTES, length);
      return;
    case FrameType.WINDOW_UPDATE:
      needsSize(type, WINDOW_UPDATE_BYTES, length);
      return;
    case FrameType.SETTINGS:
      needsConnection(type, streamId);
      if (length % SETTING_BYTES !== 0) throw wrongSize(type, `a multiple of ${SETTING_BYTES} bytes`, length);
      return;
    case FrameType.PING:
      needsConnection(type, streamId);
      needsSize(type, PING_BYTES, length);
      return;
    case FrameType.GOAWAY:
      needsConnection(type, streamId);
      if (length < GOAWAY_BYTES_MIN) throw wrongSize(type, `at least ${GOAWAY_BYTES_MIN} bytes`, length);
      return;
    case FrameType.PUSH_PROMISE:
      // 8.4: only servers push.
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a client sent PUSH_PROMISE');
  }
}

function needsStream(type: number, streamId: number): void {
  if (streamId !== 0) return;
  throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frameName(type)} needs a stream, found stream 0`);
}

function needsConnection(type: number, streamId: number): void {
  if (streamId === 0) return;
  throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frameName(type)} needs stream 0, found stream ${streamId}`);
}

function needsSize(type: number, expected: number, length: number): void {
  if (length !== expected) throw wrongSize(type, `${expected} bytes`, length);
}

function wrongSize(type: number, expected: string, length: number): ConnectionError {
  return new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${frameName(type)} must have ${expected}, found ${length}`);
}
