import { type BodyHost, endBody } from './body-receiver.js';
import { type Budgets, DRIBBLE_BYTES } from './budgets.js';
import { writeReset, writeWindowUpdate } from './control-frames.js';
import { ConnectionError } from './errors.js';
import type { HeadHost, Section } from './head-receiver.js';
import { encodeFields, type HeaderBlock } from './hpack/encoder.js';
import type { ConnectionLimits } from './limits.js';
import { Stream, type StreamHost } from './open-stream.js';
import type { Output } from './output.js';
import { ReceiveWindow } from './receive-window.js';
import type { FieldList } from './request-fields.js';
import { type Refusal, refuseRequest, trailersMalformation } from './section-rules.js';
import { Sender } from './sender.js';
import type { OnStream } from './stream.js';
import { StreamTable } from './stream-table.js';
import { ErrorCode, Flag, WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX } from './wire.js';

export interface StreamLayerHost {
  readonly onStream: OnStream;
  /** What a client did wrong, for the log. */
  onViolation(message: string): void;
}

/** 8.5: there is nothing behind us to connect to. */
const connectNotSupported = encodeFields([[':status', '501']]);

/** The streams of a connection: how they begin, what frames do to them, and how they end. */
export class StreamLayer implements StreamHost, HeadHost, BodyHost {
  readonly streams = new StreamTable();
  readonly sender: Sender;
  readonly budgets: Budgets;
  readonly receiveWindow: ReceiveWindow;
  /** Requests that begin now are neither answered nor refused: the client knows from GOAWAY. */
  ignoresNewStreams = false;

  readonly #limits: ConnectionLimits;
  readonly #output: Output;
  readonly #host: StreamLayerHost;
  /** Of new streams, each way. Until the client acknowledges our SETTINGS it may go by the initial value (6.9.2). */
  #receiveWindowBytes: number;
  #sendWindowBytes = WINDOW_BYTES_INITIAL;
  #isOver = false;

  constructor(limits: ConnectionLimits, output: Output, budgets: Budgets, host: StreamLayerHost) {
    this.#limits = limits;
    this.#output = output;
    this.budgets = budgets;
    this.#host = host;
    this.sender = new Sender(output);
    this.receiveWindow = new ReceiveWindow(limits.connectionWindowBytes);
    this.#receiveWindowBytes = Math.max(limits.streamWindowBytes, WINDOW_BYTES_INITIAL);
  }

  onRequestHead(streamId: number, fields: FieldList, section: Section): void {
    this.streams.use(streamId);
    if (this.ignoresNewStreams) {
      if (!section.endsStream) this.streams.rememberReset(streamId, this.#receiveWindowBytes);
      return;
    }
    const refusal = refuseRequest(fields, section, this.streams.size, this.#limits);
    if (refusal !== null) this.#refuse(streamId, section, refusal);
    else if (section.listBytes > this.#limits.maxHeaderListBytes)
      this.#answerOnly(streamId, section, this.#limits.headerListTooLarge);
    else if (fields.method === 'CONNECT') this.#answerOnly(streamId, section, connectNotSupported);
    else this.#open(streamId, fields, section.endsStream);
  }

  onTrailers(streamId: number, fields: FieldList, section: Section): void {
    const stream = this.streams.get(streamId)!;
    if (stream.state === 'half-closed (remote)') {
      this.streamError(stream, ErrorCode.STREAM_CLOSED, 'HEADERS came behind END_STREAM');
      return;
    }
    const malformation = trailersMalformation(fields, section, this.#limits);
    if (malformation !== null) this.streamError(stream, ErrorCode.PROTOCOL_ERROR, malformation);
    else endBody(this, stream, fields);
  }

  onLateHead(streamId: number, section: Section): void {
    if (this.streams.standing(streamId) === 'cancelled') this.onLate(streamId);
    else this.budgets.controls.spend();
    if (section.endsStream) this.streams.forgetReset(streamId);
  }

  /** 5.1, 6.1: costs the stream alone, and is answered once (5.4.2). Netty sends what it has queued for a stream behind its RST_STREAM. */
  onLate(streamId: number): void {
    writeReset(this.#output, streamId, ErrorCode.STREAM_CLOSED);
    this.streams.rememberReset(streamId, this.#receiveWindowBytes);
    this.budgets.controls.spend();
  }

  giveBack(bytes: number): void {
    if (this.#isOver) return;
    const increment = this.receiveWindow.consume(bytes);
    if (increment > 0) writeWindowUpdate(this.#output, 0, increment);
  }

  onConsumed(stream: Stream, bytes: number): void {
    this.giveBack(bytes);
    this.#openToClient(stream, bytes);
  }

  onClosed(stream: Stream): void {
    this.streams.remove(stream);
    this.sender.forget(stream);
    if (stream.unconsumedBytes > 0) this.giveBack(stream.unconsumedBytes);
    stream.unconsumedBytes = 0;
    if (stream.queuedBytes > 0) {
      for (const { owner } of stream.takeQueue()) if (owner !== null) this.#output.releaseBehind(owner);
    }
  }

  onAnswered(): void {
    this.budgets.resets.earn(1);
  }

  onResetByUs(stream: Stream, code: number, receivedEnd: boolean): void {
    writeReset(this.#output, stream.id, code);
    if (!receivedEnd) this.streams.rememberReset(stream.id, stream.receiveWindow.left);
  }

  /** 5.4.2: a violation that costs its stream only. */
  streamError(stream: Stream, code: number, message: string): void {
    this.#host.onViolation(`stream ${stream.id}: ${message}`);
    const receivedEnd = stream.state === 'half-closed (remote)';
    stream.die(code);
    this.onResetByUs(stream, code, receivedEnd);
    this.budgets.resets.spend();
  }

  /** 6.4. */
  resetByPeer(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) {
      if (stream.state !== 'half-closed (remote)') this.streams.rememberCancel(streamId);
      stream.die(code);
      this.budgets.resets.spend();
      return;
    }
    if (this.streams.standing(streamId) === 'idle') throw onIdle('RST_STREAM', streamId);
    this.budgets.controls.spend();
  }

  /** 6.9. */
  windowUpdate(streamId: number, increment: number): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined && streamId !== 0) {
      this.#lateWindowUpdate(streamId);
      return;
    }
    if (increment < DRIBBLE_BYTES && this.sender.isBlocked(stream)) this.budgets.dribbles.spend();
    if (stream === undefined) this.#openConnection(increment);
    else this.#openStream(stream, increment);
    this.sender.pump();
  }

  /** RFC 7540, 5.3.1; priorities themselves are ignored (RFC 9113, 5.3.2). `message` says what is wrong. */
  priorityError(streamId: number, code: number, message: string): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) throw new ConnectionError(code, message);
    this.streamError(stream, code, message);
  }

  /** 6.9.2: the client's SETTINGS_INITIAL_WINDOW_SIZE, for streams to come and those open. */
  resizeSendWindows(size: number): void {
    const delta = size - this.#sendWindowBytes;
    this.#sendWindowBytes = size;
    if (delta === 0) return;
    for (const stream of this.streams.values()) {
      stream.sendWindow += delta;
      if (stream.sendWindow > WINDOW_BYTES_MAX) throw windowTooLarge(`stream ${stream.id}`);
      this.sender.makeReady(stream);
    }
    this.sender.pump();
  }

  /** The client acknowledged our SETTINGS. */
  resizeReceiveWindows(): void {
    const size = this.#limits.streamWindowBytes;
    if (size === this.#receiveWindowBytes) return;
    this.#receiveWindowBytes = size;
    for (const stream of this.streams.values()) {
      stream.receiveWindow.resize(size);
      // What was too little of the larger window to be given back may be all of the smaller one.
      this.#openToClient(stream, 0);
    }
  }

  /** The connection is over. */
  endAll(code: number): void {
    this.#isOver = true;
    for (const stream of [...this.streams.values()]) stream.die(code);
  }

  #refuse(streamId: number, section: Section, refusal: Refusal): void {
    this.#host.onViolation(`stream ${streamId}: ${refusal.message}`);
    writeReset(this.#output, streamId, refusal.code);
    if (!section.endsStream) this.streams.rememberReset(streamId, this.#receiveWindowBytes);
    this.budgets.resets.spend();
  }

  /** An answer that needs nobody: it stops the request as well (8.1). */
  #answerOnly(streamId: number, section: Section, block: HeaderBlock): void {
    this.sender.headers(streamId, block, Flag.END_STREAM);
    this.budgets.resets.spend();
    if (section.endsStream) return;
    writeReset(this.#output, streamId, ErrorCode.NO_ERROR);
    this.streams.rememberReset(streamId, this.#receiveWindowBytes);
  }

  #open(streamId: number, fields: FieldList, endsStream: boolean): void {
    const window = new ReceiveWindow(this.#receiveWindowBytes);
    const stream = new Stream(streamId, this, window, this.#sendWindowBytes, fields.contentLength);
    this.streams.add(stream);
    if (endsStream) stream.receiveEnd();
    stream.handler = this.#host.onStream(stream, fields);
    if (stream.state === 'half-closed (remote)' && !stream.isEnding) stream.handler.onEnd(stream, null);
  }

  #openToClient(stream: Stream, bytes: number): void {
    const increment = stream.receiveWindow.consume(bytes);
    if (increment > 0 && stream.state === 'open') writeWindowUpdate(this.#output, stream.id, increment);
  }

  #lateWindowUpdate(streamId: number): void {
    if (this.streams.standing(streamId) === 'idle') throw onIdle('WINDOW_UPDATE', streamId);
  }

  #openConnection(increment: number): void {
    if (increment === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE of the connection by 0');
    if (!this.sender.open(increment)) throw windowTooLarge('the connection');
  }

  #openStream(stream: Stream, increment: number): void {
    if (increment === 0) {
      this.streamError(stream, ErrorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE by 0');
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > WINDOW_BYTES_MAX) {
      this.streamError(stream, ErrorCode.FLOW_CONTROL_ERROR, windowTooLarge('the stream').message);
      return;
    }
    this.sender.makeReady(stream);
  }
}

function onIdle(frame: string, streamId: number): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frame} came for the idle stream ${streamId}`);
}

function windowTooLarge(whose: string): ConnectionError {
  return new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `the window of ${whose} exceeds ${WINDOW_BYTES_MAX} bytes`);
}
