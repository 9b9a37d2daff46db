import { assert } from '../../base/assert.js';
import { encodeFields, type HeaderBlock } from './hpack/encoder.js';
import { noPingLimits, type PingLimits } from './ping-policy.js';
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, HEADER_TABLE_BYTES_INITIAL, WINDOW_BYTES_MAX } from './wire.js';

/** What one connection may cost. The first five are told to the client as SETTINGS. */
export interface ConnectionLimits {
  /** Streams open at a time; more are refused with REFUSED_STREAM, which clients may repeat. */
  readonly maxConcurrentStreams: number;
  /** Of a stream's body, received and not yet consumed. */
  readonly streamWindowBytes: number;
  /** Of all bodies of the connection, received and not yet consumed; at least 65,535. */
  readonly connectionWindowBytes: number;
  /** Largest frame that is taken, 16,384 to 16,777,215. Bodies are handed on as they come, whatever the size of their frames. */
  readonly maxFrameBytes: number;
  /** Size of a field section as RFC 9113, 6.5.2 counts it; a larger one is answered `headerListTooLarge`. */
  readonly maxHeaderListBytes: number;
  /** The whole of that answer: RFC 6585, 5, unless the protocol on top has another. */
  readonly headerListTooLarge: HeaderBlock;
  /** Encoded size of a field section over HEADERS and CONTINUATION; a larger one ends the connection. */
  readonly maxHeaderBlockBytes: number;
  /** Beside the bound on control frames of all kinds, which always holds. */
  readonly pings: PingLimits;
}

export const defaultLimits: ConnectionLimits = {
  maxConcurrentStreams: 1024,
  streamWindowBytes: 1 << 20,
  connectionWindowBytes: 4 << 20,
  maxFrameBytes: FRAME_BYTES_MIN,
  maxHeaderListBytes: 16_384,
  headerListTooLarge: encodeFields([[':status', '431']]),
  maxHeaderBlockBytes: 65_536,
  pings: noPingLimits,
};

/** Throws for limits that the protocol or our own tables cannot keep. */
export function checkLimits(limits: ConnectionLimits): void {
  const { streamWindowBytes, connectionWindowBytes, maxFrameBytes, maxHeaderListBytes } = limits;
  assert(limits.maxConcurrentStreams >= 1, 'maxConcurrentStreams is at least 1');
  assert(streamWindowBytes >= 1 && streamWindowBytes <= WINDOW_BYTES_MAX, 'streamWindowBytes is from 1 to 2^31 - 1');
  assert(
    connectionWindowBytes >= 65_535 && connectionWindowBytes <= WINDOW_BYTES_MAX,
    'connectionWindowBytes is from 65,535 to 2^31 - 1',
  );
  assert(
    maxFrameBytes >= FRAME_BYTES_MIN && maxFrameBytes <= FRAME_BYTES_MAX,
    'maxFrameBytes is from 2^14 to 2^24 - 1',
  );
  assert(
    maxHeaderListBytes >= HEADER_TABLE_BYTES_INITIAL,
    'maxHeaderListBytes is at least 4096, the size of the header table',
  );
}
