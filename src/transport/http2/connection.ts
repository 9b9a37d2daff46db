import { BodyReceiver } from './body-receiver.js';
import { Budgets } from './budgets.js';
import type { BufferPool } from './buffer-pool.js';
import { type ConnectionState, checkTransition } from './connection-state.js';
import { writeGoaway, writePing, writePreface, writeSettingsAck } from './control-frames.js';
import { ConnectionError } from './errors.js';
import { FrameReader, type FrameSink } from './frame-reader.js';
import { dependency, HeadReceiver } from './head-receiver.js';
import { HpackDecoder } from './hpack/decoder.js';
import type { ConnectionLimits } from './limits.js';
import type { Stream } from './open-stream.js';
import { Output, type OutputBatch } from './output.js';
import { PeerSettings } from './peer-settings.js';
import { PingPolicy, TOO_MANY_PINGS } from './ping-policy.js';
import { PrefaceReader } from './preface-reader.js';
import { StreamLayer, type StreamLayerHost } from './stream-layer.js';
import { ErrorCode, Flag, FrameType, frameName, PING_BYTES, PRIORITY_BYTES, STREAM_ID_MAX } from './wire.js';

/** Who drives a connection. */
export interface ConnectionHost extends StreamLayerHost {
  /** There is output where there was none: take it before this turn of the event loop ends. */
  onOutput(): void;
  /** A clock that never goes back, for what ticks are too coarse for. */
  readMs(): number;
}

/** Clients read at least so much of a large answer at once, and may send a PING for each read. */
const READ_BYTES_MIN = 16_384;

/** Payloads of our PINGs: their acknowledgements are told apart by them. */
const KEEPALIVE_PING = Buffer.from('keepaliv', 'latin1');
const DRAIN_PING = Buffer.from('draining', 'latin1');

/**
 * The server's side of one HTTP/2 connection (RFC 9113) without a socket: bytes in by `receive`, calls on stream handlers and
 * bytes by `takeOutput` out. The driver says how much time went by; its clock is read for PINGs only.
 */
export class Connection implements FrameSink {
  readonly #host: ConnectionHost;
  readonly #output: Output;
  readonly #budgets = new Budgets();
  readonly #layer: StreamLayer;
  readonly #magic = new PrefaceReader();
  readonly #reader: FrameReader;
  readonly #head: HeadReceiver;
  readonly #body: BodyReceiver;
  readonly #peer = new PeerSettings();
  readonly #pings: PingPolicy;

  #state: ConnectionState = 'preface';
  #isAcknowledged = false;
  #frames = 0;
  /** 6.8: what GOAWAY named as the last stream never rises again. */
  #lastStreamId = STREAM_ID_MAX;

  constructor(limits: ConnectionLimits, pool: BufferPool, host: ConnectionHost) {
    this.#host = host;
    this.#output = new Output(pool, () => host.onOutput());
    this.#layer = new StreamLayer(limits, this.#output, this.#budgets, host);
    this.#reader = new FrameReader(this, limits.maxFrameBytes);
    this.#head = new HeadReceiver(this.#layer, new HpackDecoder(limits.maxHeaderListBytes), limits.maxHeaderBlockBytes);
    this.#body = new BodyReceiver(this.#layer);
    this.#pings = new PingPolicy(limits.pings, () => host.readMs());
    writePreface(this.#output, limits);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Both sides know each other's SETTINGS. */
  get isEstablished(): boolean {
    return this.#isAcknowledged && this.#state !== 'preface';
  }

  /** Nothing more will be said but what is in the output. */
  get isFinished(): boolean {
    return this.#state === 'closed' || (this.#state === 'closing' && this.#layer.streams.size === 0);
  }

  get streamCount(): number {
    return this.#layer.streams.size;
  }

  streams(): IterableIterator<Stream> {
    return this.#layer.streams.values();
  }

  /** Of the connection's window: what the client may still send on all streams together. */
  get receivableBytes(): number {
    return this.#layer.receiveWindow.left;
  }

  /** What waits is waiting for the client's windows, and not for the socket. */
  get isSocketFree(): boolean {
    return this.#layer.sender.isSocketFree;
  }

  /** Bytes that the socket has not taken. */
  get waitingBytes(): number {
    return this.#output.waitingBytes;
  }

  /** The client began a field section or another frame that must be seen whole, and has not finished it. */
  get isAwaitingRest(): boolean {
    return this.#head.isInBlock || this.#reader.isInWholeFrame;
  }

  /** Frames that have begun. */
  get frameCount(): number {
    return this.#frames;
  }

  /** Takes what came; the chunk is not kept. Handlers are called meanwhile; what they throw leaves here. */
  receive(chunk: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      this.#reader.read(chunk, this.#magic.skip(chunk));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.close(error.code, error.message);
    }
  }

  /** All that was written since the last call; null = nothing. To be settled, in order. */
  takeOutput(): OutputBatch | null {
    const batch = this.#output.take();
    if (batch !== null && batch.bytes > batch.controlBytes) {
      this.#pings.forgive();
      this.#budgets.controls.earn(1 + Math.floor(batch.bytes / READ_BYTES_MIN));
    }
    return batch;
  }

  /** The socket has taken the oldest batch: there is room for more. */
  settleOutput(): void {
    this.#output.settle();
    if (this.#state !== 'closed') this.#layer.sender.pump();
  }

  /** Time went by: what a client may do in small measure, it may do again. */
  tick(seconds: number): void {
    this.#budgets.tick(seconds);
  }

  /** Asks whether somebody is there. */
  ping(): void {
    if (this.#state === 'closed') return;
    writePing(this.#output, 0, KEEPALIVE_PING, 0);
  }

  /**
   * 6.8: first says that there is to be no new stream, and only when the client knows it (it acknowledged a PING behind it, or
   * `drainNow`) which one was the last, so that no request is lost in between.
   */
  drain(): void {
    if (this.#state === 'preface') this.close(ErrorCode.NO_ERROR, 'the server is shutting down');
    if (this.#state !== 'open') return;
    this.#become('draining');
    writeGoaway(this.#output, STREAM_ID_MAX, ErrorCode.NO_ERROR, '');
    writePing(this.#output, 0, DRAIN_PING, 0);
  }

  drainNow(): void {
    this.drain();
    if (this.#state !== 'draining') return;
    this.#become('closing');
    this.#layer.ignoresNewStreams = true;
    this.#lastStreamId = this.#layer.streams.lastId;
    writeGoaway(this.#output, this.#lastStreamId, ErrorCode.NO_ERROR, '');
  }

  /** A stream took too long. */
  giveUp(stream: Stream, reason: string): void {
    this.#host.onViolation(`stream ${stream.id}: ${reason}`);
    stream.die(ErrorCode.CANCEL);
    this.#layer.onResetByUs(stream, ErrorCode.CANCEL, false);
  }

  /** 5.4.1: says why, and gives up all streams. */
  close(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    if (code !== ErrorCode.NO_ERROR) this.#host.onViolation(reason);
    writeGoaway(this.#output, Math.min(this.#lastStreamId, this.#layer.streams.lastId), code, reason);
    this.#die(code);
  }

  /** The socket is gone. */
  lost(): void {
    if (this.#state !== 'closed') this.#die(ErrorCode.CANCEL);
    this.#output.discard();
  }

  begin(type: number, flags: number, streamId: number, length: number): void {
    this.#frames++;
    if (this.#state === 'preface') this.#beginFirstFrame(type, flags);
    this.#head.checkOrder(type, streamId);
    if (type === FrameType.DATA) this.#body.begin(streamId, length);
    else if (type > FrameType.CONTINUATION) this.#budgets.controls.spend();
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.#body.data(bytes, start, end);
  }

  dataEnd(flags: number, padding: number): void {
    this.#body.end(flags, padding);
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.HEADERS:
        this.#head.headers(flags, streamId, bytes, start, end);
        return;
      case FrameType.CONTINUATION:
        this.#head.continuation(flags, bytes, start, end);
        return;
      case FrameType.WINDOW_UPDATE:
        this.#layer.windowUpdate(streamId, bytes.readUInt32BE(start) & STREAM_ID_MAX);
        return;
      case FrameType.RST_STREAM:
        this.#layer.resetByPeer(streamId, bytes.readUInt32BE(start));
        return;
      case FrameType.SETTINGS:
        this.#settings(flags, bytes, start, end);
        return;
      case FrameType.PING:
        this.#ping(flags, bytes, start);
        return;
      case FrameType.PRIORITY:
        this.#priority(streamId, bytes, start, end);
        return;
      default:
        // GOAWAY: the client opens no more streams, and ends the connection when it has its answers.
        this.#budgets.controls.spend();
    }
  }

  /** 3.4: the preface is not complete without SETTINGS. */
  #beginFirstFrame(type: number, flags: number): void {
    if (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0) {
      throw new ConnectionError(
        ErrorCode.PROTOCOL_ERROR,
        `expected SETTINGS as the first frame, found ${frameName(type)}`,
      );
    }
    this.#become('open');
  }

  /** 6.5. */
  #settings(flags: number, bytes: Buffer, start: number, end: number): void {
    this.#budgets.controls.spend();
    if ((flags & Flag.ACK) !== 0) {
      this.#settingsAcknowledged(end - start);
      return;
    }
    this.#peer.apply(bytes, start, end);
    const { sender } = this.#layer;
    if (this.#peer.takeTableShrink()) sender.emptyTable();
    sender.limitFrames(this.#peer.maxFrameBytes);
    writeSettingsAck(this.#output);
    this.#layer.resizeSendWindows(this.#peer.initialWindowBytes);
  }

  #settingsAcknowledged(length: number): void {
    if (length > 0) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `SETTINGS with ACK must be empty, found ${length} bytes`);
    }
    this.#isAcknowledged = true;
    this.#layer.resizeReceiveWindows();
  }

  /** 6.7. */
  #ping(flags: number, bytes: Buffer, start: number): void {
    this.#budgets.controls.spend();
    if ((flags & Flag.ACK) === 0) {
      const isAllowed = this.#pings.receive(this.#layer.streams.size === 0);
      if (!isAllowed) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, TOO_MANY_PINGS);
      writePing(this.#output, Flag.ACK, bytes, start);
      return;
    }
    const payload = bytes.subarray(start, start + PING_BYTES);
    if (payload.equals(DRAIN_PING)) this.drainNow();
  }

  /** 6.3: deprecated, and still sent. */
  #priority(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#budgets.controls.spend();
    if (end - start !== PRIORITY_BYTES) {
      const message = `PRIORITY must have ${PRIORITY_BYTES} bytes, found ${end - start}`;
      this.#layer.priorityError(streamId, ErrorCode.FRAME_SIZE_ERROR, message);
    } else if (dependency(bytes, start) === streamId) {
      this.#layer.priorityError(streamId, ErrorCode.PROTOCOL_ERROR, `stream ${streamId} depends on itself`);
    }
  }

  #die(code: number): void {
    this.#become('closed');
    this.#layer.endAll(code);
  }

  #become(state: ConnectionState): void {
    checkTransition(this.#state, state);
    this.#state = state;
  }
}
