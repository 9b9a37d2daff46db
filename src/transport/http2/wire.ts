/** What HTTP/2 puts on the wire (RFC 9113): numbers and names, nothing else. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/*
 * 4.1  +-----------------------------------------------+
 *      |                 Length (24)                   |
 *      +---------------+---------------+---------------+
 *      |   Type (8)    |   Flags (8)   |
 *      +-+-------------+---------------+-------------------------------+
 *      |R|                 Stream Identifier (31)                      |
 *      +=+=============================================================+
 *      |                   Frame Payload (0...)                      ...
 */
export const FRAME_HEADER_BYTES = 9;

/** Section 6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = {
  ACK: 0x1,
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Section 7. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** Section 6.5.2. */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** Of the connection always, of a stream until SETTINGS say otherwise (6.9.2). */
export const WINDOW_BYTES_INITIAL = 65_535;
/** 6.9.1. */
export const WINDOW_BYTES_MAX = 2 ** 31 - 1;
export const STREAM_ID_MAX = 2 ** 31 - 1;
/** 4.2: what every endpoint takes, and the most that can be agreed on. */
export const FRAME_BYTES_MIN = 16_384;
export const FRAME_BYTES_MAX = 2 ** 24 - 1;
/** RFC 7541, 6.5.2 here. */
export const HEADER_TABLE_BYTES_INITIAL = 4096;

export const PING_BYTES = 8;
export const PRIORITY_BYTES = 5;
export const RST_STREAM_BYTES = 4;
export const WINDOW_UPDATE_BYTES = 4;
export const SETTING_BYTES = 6;
/** Last stream and error code; debug data may follow. */
export const GOAWAY_BYTES_MIN = 8;

const frameNames = Object.keys(FrameType);
const errorNames = Object.keys(ErrorCode);

export function frameName(type: number): string {
  return frameNames[type] ?? `frame of type ${type}`;
}

export function errorName(code: number): string {
  return errorNames[code] ?? `error code ${code}`;
}
