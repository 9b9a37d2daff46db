import { Fifo } from '../../base/fifo.js';
import type { HeaderBlock } from './hpack/encoder.js';
import { TableEncoder } from './hpack/table-encoder.js';
import type { QueuedBytes, Stream } from './open-stream.js';
import type { Output } from './output.js';
import type { ViewOwner } from './stream.js';
import { Flag, FRAME_BYTES_MIN, FrameType, WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX } from './wire.js';

/** The peer may take longer frames than we make: streams take turns by frame. */
const SENT_FRAME_BYTES_MAX = 65_536;

/** Bytes up to this go by copy: a segment of their own costs the socket more. */
const COPIED_BYTES_MAX = 8192;

/** What waits in the output for the socket; beyond it bodies wait in their streams, where they take turns. */
const OUTPUT_BYTES_MAX = 262_144;

/** The sending half of a connection: frames of answers, as the windows and the socket take them. */
export class Sender {
  readonly #output: Output;
  readonly #ready = new Fifo<Stream>();
  readonly #encoder = new TableEncoder();
  #window = WINDOW_BYTES_INITIAL;
  #frameBytesMax = FRAME_BYTES_MIN;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Opens the window of the connection; false = beyond what a window may be (6.9.1). */
  open(increment: number): boolean {
    this.#window += increment;
    return this.#window <= WINDOW_BYTES_MAX;
  }

  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  limitFrames(bytes: number): void {
    this.#frameBytesMax = Math.min(bytes, SENT_FRAME_BYTES_MAX);
  }

  /** The peer made its header table smaller. */
  emptyTable(): void {
    this.#encoder.emptyTable();
  }

  headers(streamId: number, block: HeaderBlock, endFlag: number): void {
    const bytes = this.#encoder.encode(block);
    if (bytes.length <= this.#frameBytesMax) {
      this.#output.frameHeader(bytes.length, FrameType.HEADERS, Flag.END_HEADERS | endFlag, streamId);
      this.#output.copy(bytes, 0, bytes.length);
    } else {
      this.#splitHeaders(streamId, bytes, endFlag);
    }
  }

  /** False = some of it waits. `owner` null = the bytes are copied now. */
  data(stream: Stream, bytes: Uint8Array, start: number, end: number, owner: ViewOwner | null): boolean {
    let at = start;
    if (stream.queuedBytes === 0 && this.#ready.length === 0) {
      while (at < end && this.#mayCarry(stream)) at = this.#frame(stream, bytes, at, end, owner !== null);
    }
    if (at === end) {
      if (owner !== null) this.#output.releaseBehind(owner);
      return true;
    }
    const kept = owner === null ? Buffer.from(bytes.subarray(at, end)) : bytes.subarray(at, end);
    stream.queue({ bytes: kept, at: 0, owner });
    this.makeReady(stream);
    return false;
  }

  /** The last frame of an answer. */
  end(stream: Stream, trailers: HeaderBlock | null): void {
    if (trailers !== null) this.headers(stream.id, trailers, Flag.END_STREAM);
    else if (!this.#output.endData(stream.id)) this.#output.frameHeader(0, FrameType.DATA, Flag.END_STREAM, stream.id);
  }

  /** What the stream queued may go as soon as there is room on the connection. */
  makeReady(stream: Stream): void {
    if (stream.isReady || stream.queuedBytes === 0 || stream.sendWindow <= 0) return;
    stream.isReady = true;
    this.#ready.push(stream);
  }

  /** The stream is closed: it must not be kept here until the window opens. */
  forget(stream: Stream): void {
    for (let index = 0; stream.isReady && index < this.#ready.length; index++) {
      if (this.#ready.at(index) !== stream) continue;
      this.#ready.removeAt(index);
      stream.isReady = false;
    }
  }

  /** Something opened, a window or the socket: the streams that wait send in turns of one frame. */
  pump(): void {
    while (this.#ready.length > 0 && this.#window > 0 && this.isSocketFree) {
      const stream = this.#ready.shift();
      stream.isReady = false;
      // SETTINGS may have taken the window away since.
      if (stream.sendWindow <= 0) continue;
      this.#sendQueued(stream, stream.firstQueued);
      if (stream.queuedBytes === 0) stream.drained();
      else this.makeReady(stream);
    }
  }

  /** Data of that stream waits for a window to open. */
  isBlocked(stream: Stream | undefined): boolean {
    return stream === undefined ? this.#ready.length > 0 : stream.queuedBytes > 0;
  }

  /** What waits does so for the peer's windows, and not for the socket. */
  get isSocketFree(): boolean {
    return this.#output.waitingBytes < OUTPUT_BYTES_MAX;
  }

  #mayCarry(stream: Stream): boolean {
    return this.#window > 0 && stream.sendWindow > 0 && this.isSocketFree;
  }

  #sendQueued(stream: Stream, queued: QueuedBytes): void {
    const { bytes, owner, at } = queued;
    queued.at = this.#frame(stream, bytes, at, bytes.length, true);
    const isWhole = queued.at === bytes.length;
    stream.unqueue(queued.at - at, isWhole);
    if (isWhole && owner !== null) this.#output.releaseBehind(owner);
  }

  /** One frame of `bytes[at, end)`; the result is where the rest begins. Only where the stream may be carried. */
  #frame(stream: Stream, bytes: Uint8Array, at: number, end: number, mayRefer: boolean): number {
    const length = Math.min(end - at, this.#window, stream.sendWindow, this.#frameBytesMax);
    this.#window -= length;
    stream.sendWindow -= length;
    stream.sentBytes += length;
    this.#output.dataHeader(length, stream.id, this.#frameBytesMax);
    if (mayRefer && length > COPIED_BYTES_MAX) this.#output.view(bytes.subarray(at, at + length));
    else this.#output.copy(bytes, at, at + length);
    return at + length;
  }

  #splitHeaders(streamId: number, block: Buffer, endFlag: number): void {
    for (let at = 0; at < block.length; at += this.#frameBytesMax) {
      const end = Math.min(block.length, at + this.#frameBytesMax);
      const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const flags = (at === 0 ? endFlag : 0) | (end === block.length ? Flag.END_HEADERS : 0);
      this.#output.frameHeader(end - at, type, flags, streamId);
      this.#output.copy(block, at, end);
    }
  }
}
