import type { ConnectionLimits } from './limits.js';
import type { Output } from './output.js';
import {
  Flag,
  FrameType,
  GOAWAY_BYTES_MIN,
  PING_BYTES,
  RST_STREAM_BYTES,
  SETTING_BYTES,
  Setting,
  WINDOW_BYTES_INITIAL,
  WINDOW_UPDATE_BYTES,
} from './wire.js';

/** Longer reasons are cut: debug data is for people. */
const DEBUG_BYTES_MAX = 256;

/** Our connection preface (3.4): SETTINGS, and the connection's window, which SETTINGS cannot set (6.9.2). */
export function writePreface(output: Output, limits: ConnectionLimits): void {
  const settings = [
    [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [Setting.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [Setting.MAX_FRAME_SIZE, limits.maxFrameBytes],
    [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ] as const;
  output.controlHeader(settings.length * SETTING_BYTES, FrameType.SETTINGS, 0, 0);
  for (const [identifier, value] of settings) {
    output.uint16(identifier);
    output.uint32(value);
  }
  const increment = limits.connectionWindowBytes - WINDOW_BYTES_INITIAL;
  if (increment > 0) writeWindowUpdate(output, 0, increment);
}

export function writeSettingsAck(output: Output): void {
  output.controlHeader(0, FrameType.SETTINGS, Flag.ACK, 0);
}

export function writeWindowUpdate(output: Output, streamId: number, increment: number): void {
  output.frameHeader(WINDOW_UPDATE_BYTES, FrameType.WINDOW_UPDATE, 0, streamId);
  output.uint32(increment);
}

export function writeReset(output: Output, streamId: number, code: number): void {
  output.controlHeader(RST_STREAM_BYTES, FrameType.RST_STREAM, 0, streamId);
  output.uint32(code);
}

/** `payload[at, at + 8)`. */
export function writePing(output: Output, flags: number, payload: Uint8Array, at: number): void {
  output.controlHeader(PING_BYTES, FrameType.PING, flags, 0);
  output.copy(payload, at, at + PING_BYTES);
}

export function writeGoaway(output: Output, lastStreamId: number, code: number, reason: string): void {
  const debug = Buffer.from(reason, 'utf8').subarray(0, DEBUG_BYTES_MAX);
  output.controlHeader(GOAWAY_BYTES_MIN + debug.length, FrameType.GOAWAY, 0, 0);
  output.uint32(lastStreamId);
  output.uint32(code);
  output.copy(debug, 0, debug.length);
}
