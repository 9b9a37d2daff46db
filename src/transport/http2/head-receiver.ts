import { CONTINUATION_FRAMES_MAX } from './budgets.js';
import { ByteCollector } from './byte-collector.js';
import { ConnectionError } from './errors.js';
import type { HpackDecoder } from './hpack/decoder.js';
import { FieldList } from './request-fields.js';
import type { StreamStanding, StreamTable } from './stream-table.js';
import { ErrorCode, Flag, FrameType, frameName, PRIORITY_BYTES, STREAM_ID_MAX } from './wire.js';

/** What a whole field section came for. */
export interface HeadHost {
  readonly streams: StreamTable;
  /** A request: the first section of a stream. */
  onRequestHead(streamId: number, fields: FieldList, section: Section): void;
  /** A later section of an open stream. */
  onTrailers(streamId: number, fields: FieldList, section: Section): void;
  /** A section for a stream that we reset: it was decoded and that is all. */
  onLateHead(streamId: number, section: Section): void;
}

export interface Section {
  readonly endsStream: boolean;
  /** As RFC 9113, 6.5.2 counts it; fields beyond `maxHeaderListBytes` are not in the list. */
  readonly listBytes: number;
  /** RFC 7540, 5.3.1: the only thing about priorities that is not ignored. */
  readonly dependsOnItself: boolean;
}

/** HEADERS and CONTINUATION (6.2, 6.10, 4.3): puts blocks together, bounded, and has them decoded in their order. */
export class HeadReceiver {
  readonly #host: HeadHost;
  readonly #decoder: HpackDecoder;
  readonly #blockBytesMax: number;
  readonly #fields = new FieldList();

  /** The stream whose block is not whole yet; 0 = none. */
  #streamId = 0;
  readonly #block = new ByteCollector();
  #continuations = 0;
  #endsStream = false;
  #dependsOnItself = false;

  constructor(host: HeadHost, decoder: HpackDecoder, blockBytesMax: number) {
    this.#host = host;
    this.#decoder = decoder;
    this.#blockBytesMax = blockBytesMax;
  }

  get isInBlock(): boolean {
    return this.#streamId !== 0;
  }

  /** 4.3, 6.10: a block is not interrupted, by any frame, and nothing is continued that was not begun. */
  checkOrder(type: number, streamId: number): void {
    const isContinuation = type === FrameType.CONTINUATION;
    if (this.#streamId === 0 && !isContinuation) return;
    if (this.#streamId === streamId && isContinuation) return;
    const expected = this.#streamId === 0 ? 'no CONTINUATION' : `CONTINUATION of stream ${this.#streamId}`;
    throw protocolError(`expected ${expected}, found ${frameName(type)} of stream ${streamId}`);
  }

  headers(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#checkStream(streamId, this.#host.streams.standing(streamId));
    this.#endsStream = (flags & Flag.END_STREAM) !== 0;
    let blockStart = start;
    let blockEnd = end;
    if ((flags & Flag.PADDED) !== 0) {
      blockEnd -= start < end ? bytes[start]! : 0;
      blockStart++;
    }
    this.#dependsOnItself = false;
    if ((flags & Flag.PRIORITY) !== 0) {
      this.#dependsOnItself = end - blockStart >= 4 && dependency(bytes, blockStart) === streamId;
      blockStart += PRIORITY_BYTES;
    }
    if (blockStart > blockEnd) throw protocolError('padding and priority leave HEADERS less than no room');
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.#checkSize(blockEnd - blockStart);
      this.#decode(streamId, bytes, blockStart, blockEnd);
    } else this.#beginBlock(streamId, bytes, blockStart, blockEnd);
  }

  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    if (++this.#continuations > CONTINUATION_FRAMES_MAX) {
      throw tooLarge(`a header block has more than ${CONTINUATION_FRAMES_MAX} CONTINUATION frames`);
    }
    this.#collect(bytes, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return;
    const streamId = this.#streamId;
    this.#streamId = 0;
    this.#decode(streamId, this.#block.bytes, 0, this.#block.length);
    this.#block.clear();
  }

  #beginBlock(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#streamId = streamId;
    this.#continuations = 0;
    this.#collect(bytes, start, end);
  }

  #collect(bytes: Buffer, start: number, end: number): void {
    this.#checkSize(this.#block.length + end - start);
    this.#block.add(bytes, start, end);
  }

  #checkSize(blockBytes: number): void {
    if (blockBytes <= this.#blockBytesMax) return;
    throw tooLarge(`a header block may have ${this.#blockBytesMax} bytes, found ${blockBytes} or more`);
  }

  /** 5.1, 5.1.1: the errors that cost the connection. */
  #checkStream(streamId: number, standing: StreamStanding): void {
    if (streamId % 2 === 0) throw protocolError(`clients open odd streams, found HEADERS of stream ${streamId}`);
    if (standing === 'closed') {
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `HEADERS came for the closed stream ${streamId}`);
    }
    if (standing === 'skipped') {
      throw protocolError(`expected a stream above ${this.#host.streams.lastId}, found HEADERS of stream ${streamId}`);
    }
  }

  #decode(streamId: number, bytes: Buffer, start: number, end: number): void {
    const fields = this.#fields;
    const standing = this.#host.streams.standing(streamId);
    fields.begin(standing === 'open');
    const listBytes = this.#decoder.decode(bytes, start, end, fields);
    const section = { endsStream: this.#endsStream, listBytes, dependsOnItself: this.#dependsOnItself };
    if (standing === 'idle') this.#host.onRequestHead(streamId, fields, section);
    else if (standing === 'open') this.#host.onTrailers(streamId, fields, section);
    else this.#host.onLateHead(streamId, section);
  }
}

/** The stream that a priority field names (RFC 7540, 6.3). */
export function dependency(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & STREAM_ID_MAX;
}

function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function tooLarge(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, message);
}
