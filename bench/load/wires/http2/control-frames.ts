import {
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
  SETTING_BYTES,
  Setting,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
} from '../../../../src/transport/http2/wire.js';

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What a connection begins with: no server push, and windows as wide as there are. */
export function opening(): Buffer {
  const settings = Buffer.alloc(2 * SETTING_BYTES);
  settings.writeUInt16BE(Setting.ENABLE_PUSH, 0);
  settings.writeUInt16BE(Setting.INITIAL_WINDOW_SIZE, SETTING_BYTES);
  settings.writeUInt32BE(WINDOW_BYTES_MAX, SETTING_BYTES + 2);
  const window = uint32(WINDOW_BYTES_MAX - WINDOW_BYTES_INITIAL);
  return Buffer.concat([
    PREFACE,
    frame(FrameType.SETTINGS, 0, 0, settings),
    frame(FrameType.WINDOW_UPDATE, 0, 0, window),
  ]);
}
