import type { Budgets } from './budgets.js';
import { ConnectionError } from './errors.js';
import type { Stream } from './open-stream.js';
import type { ReceiveWindow } from './receive-window.js';
import type { RequestFields } from './stream.js';
import type { StreamTable } from './stream-table.js';
import { ErrorCode, Flag } from './wire.js';

/** What the receiving of bodies needs of the connection. */
export interface BodyHost {
  readonly streams: StreamTable;
  readonly budgets: Budgets;
  readonly receiveWindow: ReceiveWindow;
  /** Opens the connection's window again for bytes that nobody gets. */
  giveBack(bytes: number): void;
  /** Something came for a stream that the client had reset itself. */
  onLate(streamId: number): void;
  /** 5.4.2. `stream` is open. */
  streamError(stream: Stream, code: number, message: string): void;
}

/** DATA frames (6.1): flow control, content-length, and whose bytes they are. Of one frame at a time. */
export class BodyReceiver {
  readonly #host: BodyHost;
  #streamId = 0;
  /** Null = the bytes are dropped. */
  #stream: Stream | null = null;
  /** Nothing but padding so far. */
  #isEmpty = true;

  constructor(host: BodyHost) {
    this.#host = host;
  }

  /** A frame begins. Its whole payload counts against both windows at once, padding too (6.9.1). */
  begin(streamId: number, length: number): void {
    const { streams, receiveWindow } = this.#host;
    if (!receiveWindow.take(length)) throw overrun('the connection', -receiveWindow.left);
    this.#streamId = streamId;
    this.#isEmpty = true;
    const stream = streams.get(streamId);
    this.#stream = stream ?? null;
    if (stream === undefined) this.#beginDropped(streamId, length);
    else if (stream.state === 'half-closed (remote)') {
      this.#refuse(stream, ErrorCode.STREAM_CLOSED, 'DATA came behind END_STREAM');
      this.#host.giveBack(length);
    } else if (!stream.receiveWindow.take(length)) {
      this.#refuse(
        stream,
        ErrorCode.FLOW_CONTROL_ERROR,
        overrun(`stream ${streamId}`, -stream.receiveWindow.left).message,
      );
      this.#host.giveBack(length);
    }
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.#isEmpty = false;
    const stream = this.#stream;
    if (stream === null) return;
    const length = end - start;
    if (stream.state === 'closed') {
      // It ended while its frame was on the way; what was handed to it before is given back already.
      this.#host.giveBack(length);
      return;
    }
    stream.receivedBytes += length;
    stream.unconsumedBytes += length;
    if (stream.bodyBytesLeft >= 0 && !this.#countDown(stream, length)) return;
    if (stream.isEnding) stream.consume(length);
    else stream.handler!.onData(stream, bytes, start, end);
  }

  end(flags: number, padding: number): void {
    const stream = this.#stream;
    const isLast = (flags & Flag.END_STREAM) !== 0;
    if (this.#isEmpty && !isLast) this.#host.budgets.emptyFrames.spend();
    if (stream === null || stream.state === 'closed') {
      if (stream !== null) this.#host.giveBack(padding);
      if (isLast) this.#host.streams.forgetReset(this.#streamId);
      return;
    }
    if (padding > 0) {
      stream.unconsumedBytes += padding;
      stream.consume(padding);
    }
    if (isLast) endBody(this.#host, stream, null);
  }

  #beginDropped(streamId: number, length: number): void {
    const { streams } = this.#host;
    const standing = streams.standing(streamId);
    if (standing === 'idle')
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `DATA came for the idle stream ${streamId}`);
    if (standing === 'cancelled') this.#host.onLate(streamId);
    else if (standing !== 'reset')
      throw new ConnectionError(ErrorCode.STREAM_CLOSED, `DATA came for the closed stream ${streamId}`);
    else if (!streams.takeReset(streamId, length)) throw overrun(`the reset stream ${streamId}`, length);
    this.#host.giveBack(length);
  }

  #refuse(stream: Stream, code: number, message: string): void {
    this.#stream = null;
    this.#host.streamError(stream, code, message);
  }

  /** RFC 9113, 8.1.1; false = the body is longer than it was declared. */
  #countDown(stream: Stream, length: number): boolean {
    stream.bodyBytesLeft -= length;
    if (stream.bodyBytesLeft >= 0) return true;
    const message = `the body is ${-stream.bodyBytesLeft} or more bytes longer than its content-length`;
    this.#host.streamError(stream, ErrorCode.PROTOCOL_ERROR, message);
    return false;
  }
}

/** The request is complete, with its last DATA or with its trailers. */
export function endBody(host: BodyHost, stream: Stream, trailers: RequestFields | null): void {
  if (stream.bodyBytesLeft > 0) {
    const message = `the body ends ${stream.bodyBytesLeft} bytes before its content-length`;
    host.streamError(stream, ErrorCode.PROTOCOL_ERROR, message);
    return;
  }
  stream.receiveEnd();
  if (!stream.isEnding) stream.handler!.onEnd(stream, trailers);
}

function overrun(whose: string, bytes: number): ConnectionError {
  return new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `DATA overran the window of ${whose} by ${bytes} bytes`);
}
