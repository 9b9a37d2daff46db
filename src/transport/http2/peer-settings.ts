import { ConnectionError } from './errors.js';
import {
  ErrorCode,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  HEADER_TABLE_BYTES_INITIAL,
  SETTING_BYTES,
  Setting,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
} from './wire.js';

/** What the client said of itself (6.5.2), as far as it matters to a server that never pushes. */
export class PeerSettings {
  initialWindowBytes = WINDOW_BYTES_INITIAL;
  maxFrameBytes = FRAME_BYTES_MIN;
  /** The smallest that the header table was set to since `takeTableShrink` said so. */
  #tableBytesMin = HEADER_TABLE_BYTES_INITIAL;
  /** Of the table as it was confirmed last. */
  #tableBytes = HEADER_TABLE_BYTES_INITIAL;

  /** Values in their order, the last one counts (6.5.3). Settings we do not know are ignored. */
  apply(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += SETTING_BYTES) this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
  }

  /** True once for each time that the header table became smaller than what we confirmed; we confirm 0. */
  takeTableShrink(): boolean {
    if (this.#tableBytesMin >= this.#tableBytes) return false;
    this.#tableBytes = 0;
    return true;
  }

  #set(identifier: number, value: number): void {
    switch (identifier) {
      case Setting.ENABLE_PUSH:
        if (value > 1) throw invalid(ErrorCode.PROTOCOL_ERROR, 'ENABLE_PUSH', '0 or 1', value);
        return;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > WINDOW_BYTES_MAX) {
          throw invalid(ErrorCode.FLOW_CONTROL_ERROR, 'INITIAL_WINDOW_SIZE', `at most ${WINDOW_BYTES_MAX}`, value);
        }
        this.initialWindowBytes = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_MIN || value > FRAME_BYTES_MAX) {
          const expected = `${FRAME_BYTES_MIN} to ${FRAME_BYTES_MAX}`;
          throw invalid(ErrorCode.PROTOCOL_ERROR, 'MAX_FRAME_SIZE', expected, value);
        }
        this.maxFrameBytes = value;
        return;
      case Setting.HEADER_TABLE_SIZE:
        this.#tableBytesMin = Math.min(this.#tableBytesMin, value);
    }
  }
}

function invalid(code: number, name: string, expected: string, value: number): ConnectionError {
  return new ConnectionError(code, `expected ${expected} as SETTINGS_${name}, found ${value}`);
}
