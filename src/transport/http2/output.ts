import { Fifo } from '../../base/fifo.js';
import type { BufferPool } from './buffer-pool.js';
import type { ViewOwner } from './stream.js';
import { Flag, FRAME_HEADER_BYTES, FrameType } from './wire.js';

/** Shorter bytes are copied by a loop: `set` costs more than it saves. */
const LOOP_BYTES_MAX = 48;

/** Bytes for one write to the socket. Its segments must stay as they are until it is settled. */
export interface OutputBatch {
  readonly segments: Uint8Array[];
  bytes: number;
  /** Of them, those of frames that carry nothing of a request, neither its bytes nor room for them. */
  controlBytes: number;
  /** Go back to the pool when the batch is settled. */
  readonly buffers: Buffer[];
  readonly owners: ViewOwner[];
}

/**
 * What a connection has to say. Frames are written one behind the other into a buffer of the pool; views stand between buffers
 * by reference. The driver takes a batch, writes it, and settles batches in the order in which it took them.
 */
export class Output {
  readonly #pool: BufferPool;
  readonly #onOutput: () => void;
  #batch = newBatch();
  #buffer: Buffer | null = null;
  /** In the buffer: where the segment in work begins and ends. */
  #start = 0;
  #end = 0;
  readonly #unsettled = new Fifo<OutputBatch>();

  /** The DATA frame written last, as long as nothing stands behind it: more of its stream is added to it. */
  #openBuffer: Buffer | null = null;
  #openAt = 0;
  #openLength = 0;
  #openStreamId = 0;

  /** Taken, and not settled. */
  #unsettledBytes = 0;

  /** @param onOutput there is output where there was none: take it before this turn of the event loop ends */
  constructor(pool: BufferPool, onOutput: () => void) {
    this.#pool = pool;
    this.#onOutput = onOutput;
  }

  get isEmpty(): boolean {
    return this.#batch.bytes + this.#end === this.#start;
  }

  /** All that the socket has not taken. */
  get waitingBytes(): number {
    return this.#unsettledBytes + this.#batch.bytes + this.#end - this.#start;
  }

  frameHeader(length: number, type: number, flags: number, streamId: number): void {
    if (this.isEmpty) this.#onOutput();
    this.#openBuffer = null;
    const buffer = this.#reserve(FRAME_HEADER_BYTES);
    const at = this.#end;
    buffer[at] = length >> 16;
    buffer[at + 1] = length >> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = streamId >> 24;
    buffer[at + 6] = streamId >> 16;
    buffer[at + 7] = streamId >> 8;
    buffer[at + 8] = streamId;
    this.#end = at + FRAME_HEADER_BYTES;
  }

  /** The header of a frame that carries nothing of a request: these are counted, since they are few. */
  controlHeader(length: number, type: number, flags: number, streamId: number): void {
    this.frameHeader(length, type, flags, streamId);
    this.#batch.controlBytes += FRAME_HEADER_BYTES + length;
  }

  /** The header of a DATA frame for `length` bytes, which follow. They join the frame before where that is of the same stream. */
  dataHeader(length: number, streamId: number, lengthMax: number): void {
    if (this.#openBuffer !== null && this.#openStreamId === streamId && this.#openLength + length <= lengthMax) {
      this.#openLength += length;
      setLength(this.#openBuffer, this.#openAt, this.#openLength);
      return;
    }
    this.frameHeader(length, FrameType.DATA, 0, streamId);
    this.#openBuffer = this.#buffer;
    this.#openAt = this.#end - FRAME_HEADER_BYTES;
    this.#openLength = length;
    this.#openStreamId = streamId;
  }

  /** Ends the stream with its DATA frame written last; false = that is not the last frame any more. */
  endData(streamId: number): boolean {
    if (this.#openBuffer === null || this.#openStreamId !== streamId) return false;
    this.#openBuffer[this.#openAt + 4]! |= Flag.END_STREAM;
    this.#openBuffer = null;
    return true;
  }

  uint32(value: number): void {
    this.#reserve(4).writeUInt32BE(value, this.#end);
    this.#end += 4;
  }

  uint16(value: number): void {
    this.#reserve(2).writeUInt16BE(value, this.#end);
    this.#end += 2;
  }

  copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const buffer = this.#reserve(length);
    const at = this.#end;
    if (length <= LOOP_BYTES_MAX) for (let i = 0; i < length; i++) buffer[at + i] = source[start + i]!;
    else buffer.set(length === source.length ? source : source.subarray(start, end), at);
    this.#end = at + length;
  }

  view(bytes: Uint8Array): void {
    this.#closeSegment();
    this.#batch.segments.push(bytes);
    this.#batch.bytes += bytes.length;
  }

  /** Releases a view when everything written so far has left; at once where all has. */
  releaseBehind(owner: ViewOwner): void {
    if (!this.isEmpty) this.#batch.owners.push(owner);
    else if (this.#unsettled.length > 0) this.#unsettled.at(this.#unsettled.length - 1).owners.push(owner);
    else owner.release();
  }

  /** All that was written since; null = nothing. */
  take(): OutputBatch | null {
    if (this.isEmpty) return null;
    this.#closeSegment();
    this.#dropBuffer();
    this.#openBuffer = null;
    const batch = this.#batch;
    this.#batch = newBatch();
    this.#unsettled.push(batch);
    this.#unsettledBytes += batch.bytes;
    return batch;
  }

  /** The oldest batch has left, or never will. */
  settle(): void {
    const batch = this.#unsettled.shift();
    this.#unsettledBytes -= batch.bytes;
    for (const buffer of batch.buffers) this.#pool.give(buffer);
    for (const owner of batch.owners) owner.release();
  }

  /** The socket is gone: nothing will leave any more. */
  discard(): void {
    this.take();
    while (this.#unsettled.length > 0) this.settle();
  }

  /** The buffer, with room for `bytes` at `#end`. */
  #reserve(bytes: number): Buffer {
    if (this.#buffer !== null && this.#buffer.length - this.#end >= bytes) return this.#buffer;
    this.#closeSegment();
    this.#dropBuffer();
    this.#buffer = bytes > this.#pool.bufferBytes ? Buffer.allocUnsafeSlow(bytes) : this.#pool.take();
    return this.#buffer;
  }

  #closeSegment(): void {
    if (this.#end === this.#start) return;
    this.#batch.segments.push(this.#buffer!.subarray(this.#start, this.#end));
    this.#batch.bytes += this.#end - this.#start;
    this.#start = this.#end;
  }

  #dropBuffer(): void {
    if (this.#buffer !== null) this.#batch.buffers.push(this.#buffer);
    this.#buffer = null;
    this.#start = 0;
    this.#end = 0;
  }
}

function newBatch(): OutputBatch {
  return { segments: [], bytes: 0, controlBytes: 0, buffers: [], owners: [] };
}

function setLength(buffer: Buffer, at: number, length: number): void {
  buffer[at] = length >> 16;
  buffer[at + 1] = length >> 8;
  buffer[at + 2] = length;
}
