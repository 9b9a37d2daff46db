import { assert } from '../../base/assert.js';
import { Fifo } from '../../base/fifo.js';
import type { HeaderBlock } from './hpack/encoder.js';
import type { ReceiveWindow } from './receive-window.js';
import type { Sender } from './sender.js';
import type { Http2Stream, StreamHandler, ViewOwner } from './stream.js';
import { afterEndReceived, afterEndSent, type StreamState } from './stream-state.js';
import { ErrorCode } from './wire.js';

/** A part of an answer that waits. */
export interface QueuedBytes {
  readonly bytes: Uint8Array;
  /** Before it, all is sent. */
  at: number;
  /** Null = the bytes are ours. */
  readonly owner: ViewOwner | null;
}

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly sender: Sender;
  /** Opens the windows again: the one of the connection, and the stream's while the client may send. */
  onConsumed(stream: Stream, bytes: number): void;
  /** The whole answer is on its way. */
  onAnswered(): void;
  /** Sends RST_STREAM; the stream is closed already. */
  onResetByUs(stream: Stream, code: number, receivedEnd: boolean): void;
  /** The stream is closed and everything of it given back. */
  onClosed(stream: Stream): void;
}

/** A stream from its HEADERS to its end, never used twice. */
export class Stream implements Http2Stream {
  readonly id: number;
  state: StreamState = 'open';
  awaitsBody = true;
  /** Null until `onStream` returned. */
  handler: StreamHandler | null = null;

  readonly receiveWindow: ReceiveWindow;
  /** Below 0 where SETTINGS took more than was left (6.9.2). */
  sendWindow: number;
  /** Received and not consumed. */
  unconsumedBytes = 0;
  /** Of the declared content-length; -1 = none was declared. */
  bodyBytesLeft: number;

  /** Totals, for time-outs. */
  receivedBytes = 0;
  sentBytes = 0;
  /** Kept by `stream-watch`: where the totals were when they last moved enough, and when that was; -1 = not waiting. */
  receivedMark = 0;
  receivedMarkMs = -1;
  sentMark = 0;
  sentMarkMs = -1;

  queuedBytes = 0;
  /** `end` was called; trailers may have to wait for the queue. Nothing of the request is handed on any more. */
  isEnding = false;
  /** In the sender's queue. */
  isReady = false;

  readonly #host: StreamHost;
  #queue: Fifo<QueuedBytes> | null = null;
  #hasResponded = false;
  #trailers: HeaderBlock | null = null;
  #wantsDrain = false;

  constructor(id: number, host: StreamHost, receiveWindow: ReceiveWindow, sendWindow: number, contentLength: number) {
    this.id = id;
    this.#host = host;
    this.receiveWindow = receiveWindow;
    this.sendWindow = sendWindow;
    this.bodyBytesLeft = contentLength;
  }

  respond(fields: HeaderBlock): void {
    if (this.state === 'closed') return;
    assert(!this.#hasResponded && !this.isEnding, 'a stream is answered once');
    this.#hasResponded = true;
    this.#host.sender.headers(this.id, fields, 0);
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    return this.state === 'closed' || this.#write(bytes, start, end, null);
  }

  writeView(bytes: Uint8Array, owner: ViewOwner): boolean {
    if (this.state !== 'closed') return this.#write(bytes, 0, bytes.length, owner);
    owner.release();
    return true;
  }

  end(trailers: HeaderBlock | null): void {
    if (this.state === 'closed') return;
    assert(!this.isEnding, 'an answer ends once');
    assert(this.#hasResponded || trailers !== null, 'an answer has at least one field section');
    this.isEnding = true;
    this.#trailers = trailers;
    if (this.queuedBytes === 0) this.#finish();
  }

  reset(code: number): void {
    if (this.state === 'closed') return;
    const receivedEnd = this.state === 'half-closed (remote)';
    this.#close();
    this.#host.onResetByUs(this, code, receivedEnd);
  }

  consume(bytes: number): void {
    if (this.state === 'closed') return;
    assert(bytes <= this.unconsumedBytes, 'no more is consumed than was received');
    this.unconsumedBytes -= bytes;
    this.#host.onConsumed(this, bytes);
  }

  /** The client is done. */
  receiveEnd(): void {
    this.state = afterEndReceived(this.state);
  }

  /** The client, or what it did, ended the stream: its owner is told. */
  die(code: number): void {
    if (this.state === 'closed') return;
    this.#close();
    this.handler?.onReset(this, code);
  }

  get firstQueued(): QueuedBytes {
    return this.#queue!.at(0);
  }

  queue(part: QueuedBytes): void {
    this.#queue ??= new Fifo();
    this.#queue.push(part);
    this.queuedBytes += part.bytes.length;
    this.#wantsDrain = true;
  }

  /** So many bytes of the first part are sent; `isWhole` = they were its last. */
  unqueue(bytes: number, isWhole: boolean): void {
    this.queuedBytes -= bytes;
    if (isWhole) this.#queue!.shift();
  }

  /** Nothing is queued any more. */
  drained(): void {
    if (this.isEnding) this.#finish();
    else if (this.#wantsDrain) {
      this.#wantsDrain = false;
      this.handler?.onDrain(this);
    }
  }

  /** What was queued and will not be sent; owners are for the caller to release. */
  takeQueue(): QueuedBytes[] {
    const parts: QueuedBytes[] = [];
    while (this.#queue !== null && this.#queue.length > 0) parts.push(this.#queue.shift());
    this.queuedBytes = 0;
    return parts;
  }

  #write(bytes: Uint8Array, start: number, end: number, owner: ViewOwner | null): boolean {
    assert(this.#hasResponded && !this.isEnding, 'an answer is written between respond and end');
    return this.#host.sender.data(this, bytes, start, end, owner);
  }

  #finish(): void {
    this.#host.sender.end(this, this.#trailers);
    this.#host.onAnswered();
    this.state = afterEndSent(this.state);
    if (this.state === 'closed') this.#host.onClosed(this);
    else this.reset(ErrorCode.NO_ERROR);
  }

  #close(): void {
    this.state = 'closed';
    this.#host.onClosed(this);
  }
}
