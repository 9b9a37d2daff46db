import {
  FRAME_BYTES_MIN,
  HEADER_TABLE_BYTES_INITIAL,
  SETTING_BYTES,
  Setting,
  WINDOW_BYTES_INITIAL,
} from '../../../../src/transport/http2/wire.js';
import { BadAnswer } from '../failures.js';

/** What the server said of itself (RFC 9113, 6.5.2), as far as it matters to a client. */
export class ServerSettings {
  initialWindowBytes = WINDOW_BYTES_INITIAL;
  maxFrameBytes = FRAME_BYTES_MIN;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  tableBytes = HEADER_TABLE_BYTES_INITIAL;

  apply(bytes: Buffer, start: number, end: number): void {
    if ((end - start) % SETTING_BYTES !== 0) throw new BadAnswer('SETTINGS that are cut off');
    for (let at = start; at < end; at += SETTING_BYTES) this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
  }

  #set(identifier: number, value: number): void {
    if (identifier === Setting.INITIAL_WINDOW_SIZE) this.initialWindowBytes = value;
    else if (identifier === Setting.MAX_FRAME_SIZE) this.maxFrameBytes = value;
    else if (identifier === Setting.MAX_CONCURRENT_STREAMS) this.maxConcurrentStreams = value;
    else if (identifier === Setting.HEADER_TABLE_SIZE) this.tableBytes = value;
  }
}
