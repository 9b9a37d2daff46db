import {
  ErrorCode,
  errorName,
  Flag,
  FRAME_BYTES_MIN,
  FRAME_HEADER_BYTES,
  FrameType,
  frameName,
  GOAWAY_BYTES_MIN,
  HEADER_TABLE_BYTES_INITIAL,
  PRIORITY_BYTES,
  STREAM_ID_MAX,
  WINDOW_BYTES_INITIAL,
  WINDOW_BYTES_MAX,
} from '../../../../src/transport/http2/wire.js';
import type { PreparedRequest } from '../../encode/prepared-request.js';
import { ByteCollector } from '../byte-collector.js';
import { BadAnswer } from '../failures.js';
import { stamp, stampedPieces } from '../stamp.js';
import type { TurnWriter } from '../turn-writer.js';
import { UnitSplitter } from '../unit-splitter.js';
import type { Failure } from '../wire.js';
import { FieldSectionReader } from './answer-fields.js';
import type { ClientStream } from './client-stream.js';
import { frame, opening, uint32 } from './control-frames.js';
import type { RequestHead } from './request-head.js';
import { ServerSettings } from './server-settings.js';

/** The owner of a client. */
export interface Http2User {
  /** The server told its settings. The first time, streams can begin; later, there may be room for more. */
  onSettings(isFirst: boolean): void;
  /** No further stream can begin here, and the last one is over. */
  onDrained(): void;
  onFailed(failure: Failure): void;
}

/** Bodies up to this size are copied to where their frame is written. */
const COPIED_BYTES_MAX = 16 * 1024;

/** Windows that we opened wide are opened again by so much at a time. */
const REOPEN_BYTES = 2 ** 28;

/** The client's end of HTTP/2 (RFC 9113): bytes in, bytes out. Throws a `BadAnswer` or `ConnectionError` where the server breaks the rules. */
export class Http2Client {
  readonly settings = new ServerSettings();
  readonly #writer: TurnWriter;
  readonly #head: RequestHead;
  readonly #user: Http2User;
  readonly #frames = new UnitSplitter(frameBytes, (bytes, start, end) => this.#onFrame(bytes, start, end));
  readonly #sections = new FieldSectionReader();
  readonly #streams = new Map<number, ClientStream>();
  /** Their bodies wait for a window. */
  readonly #blocked = new Set<ClientStream>();
  /** Of a field section that goes on in CONTINUATION: its stream, flags, bytes. 0 = there is none. */
  #sectionStream = 0;
  #sectionFlags = 0;
  readonly #section = new ByteCollector();
  #nextId: number;
  #sendWindow = WINDOW_BYTES_INITIAL;
  #received = 0;
  #hasSettings = false;
  #isDraining = false;

  constructor(writer: TurnWriter, head: RequestHead, user: Http2User, firstStreamId: number) {
    this.#writer = writer;
    this.#head = head;
    this.#user = user;
    this.#nextId = firstStreamId;
    writer.append(opening());
  }

  receive(bytes: Buffer, start: number, end: number): void {
    this.#frames.feed(bytes, start, end);
  }

  /** Takes no notice of what comes any more. */
  stop(): void {
    this.#frames.isStopped = true;
  }

  /** Whether a stream can begin now. */
  get hasRoom(): boolean {
    return !this.#isDraining && this.#streams.size < this.settings.maxConcurrentStreams;
  }

  /** Sends the head of a request; there is room. */
  begin(stream: ClientStream): void {
    stream.id = this.#nextId;
    stream.sendWindow = this.settings.initialWindowBytes;
    stream.received = 0;
    stream.endsBehind = false;
    this.#streams.set(stream.id, stream);
    this.#nextId += 2;
    if (this.#nextId > STREAM_ID_MAX) this.#isDraining = true;
    const block = this.#head.next();
    this.#frameHead(FrameType.HEADERS, Flag.END_HEADERS, stream.id, block.length);
    this.#writer.append(block);
  }

  /** The body, or more of it, with its places filled in. */
  send(stream: ClientStream, request: PreparedRequest, id: number, sequenceId: number, isLast: boolean): void {
    const count = request.bytes.length;
    const window = Math.min(stream.sendWindow, this.#sendWindow, this.settings.maxFrameBytes, COPIED_BYTES_MAX);
    if (count <= window && stream.pieces.length === 0) {
      this.#frameHead(FrameType.DATA, isLast ? Flag.END_STREAM : 0, stream.id, count);
      const at = this.#writer.reserve(count);
      request.bytes.copy(this.#writer.block, at);
      stamp(this.#writer.block, at, request, id, sequenceId);
      this.#takeWindow(stream, count);
      return;
    }
    for (const piece of stampedPieces(request, id, sequenceId)) stream.pieces.push(piece);
    stream.endsBehind = isLast;
    this.#pump(stream);
  }

  #onFrame(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = bytes.readInt32BE(at + 5) & STREAM_ID_MAX;
    const start = at + FRAME_HEADER_BYTES;
    if (this.#sectionStream !== 0 && type !== FrameType.CONTINUATION) {
      throw new BadAnswer(`expected CONTINUATION, the server sent ${frameName(type)}`);
    }
    if (type === FrameType.DATA) this.#onData(flags, streamId, bytes, start, end);
    else if (type === FrameType.HEADERS) this.#onHeaders(flags, streamId, bytes, start, end);
    else if (type === FrameType.CONTINUATION) this.#onContinuation(flags, streamId, bytes, start, end);
    else if (type === FrameType.WINDOW_UPDATE) this.#onWindowUpdate(streamId, numberAt(bytes, start, end));
    else if (type === FrameType.SETTINGS) this.#onSettings(flags, bytes, start, end);
    else if (type === FrameType.PING) this.#onPing(flags, bytes, start, end);
    else if (type === FrameType.RST_STREAM) this.#end(streamId)?.onReset(numberAt(bytes, start, end));
    else if (type === FrameType.GOAWAY) this.#onGoaway(bytes, start, end);
    else if (type === FrameType.PUSH_PROMISE) throw new BadAnswer('the server pushes, which we told it not to');
  }

  #onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#countReceived(end - start);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    const isLast = (flags & Flag.END_STREAM) !== 0;
    if (!isLast) this.#countStream(stream, end - start);
    const [dataStart, dataEnd] = (flags & Flag.PADDED) === 0 ? [start, end] : unpadded(bytes, start, end);
    if (dataEnd > dataStart) stream.onData(bytes, dataStart, dataEnd);
    if (isLast) this.#end(streamId)?.onEnd();
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    let [blockStart, blockEnd] = (flags & Flag.PADDED) === 0 ? [start, end] : unpadded(bytes, start, end);
    if ((flags & Flag.PRIORITY) !== 0) blockStart += PRIORITY_BYTES;
    blockEnd = Math.max(blockStart, blockEnd);
    if ((flags & Flag.END_HEADERS) !== 0) {
      this.#onSection(flags, streamId, bytes, blockStart, blockEnd);
      return;
    }
    this.#sectionStream = streamId;
    this.#sectionFlags = flags;
    this.#section.reset();
    this.#section.append(bytes, blockStart, blockEnd);
  }

  #onContinuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== this.#sectionStream || streamId === 0) throw new BadAnswer('CONTINUATION of no field section');
    this.#section.append(bytes, start, end);
    if ((flags & Flag.END_HEADERS) === 0) return;
    this.#sectionStream = 0;
    this.#onSection(this.#sectionFlags, streamId, this.#section.bytes, 0, this.#section.length);
  }

  /** All are read, also those of streams that are over: they may change the header table. */
  #onSection(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const fields = this.#sections.read(bytes, start, end);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.onFields(fields);
    if ((flags & Flag.END_STREAM) !== 0) this.#end(streamId)?.onEnd();
  }

  #onPing(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    this.#writer.append(frame(FrameType.PING, Flag.ACK, 0, bytes.subarray(start, end)));
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    const bytes = increment & WINDOW_BYTES_MAX;
    if (streamId === 0) {
      this.#sendWindow += bytes;
      this.#pumpAll();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += bytes;
    if (this.#blocked.has(stream)) this.#pump(stream);
  }

  #onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    const before = this.settings.initialWindowBytes;
    this.settings.apply(bytes, start, end);
    if (this.settings.tableBytes < HEADER_TABLE_BYTES_INITIAL) this.#head.limitTable(this.settings.tableBytes);
    for (const stream of this.#streams.values()) stream.sendWindow += this.settings.initialWindowBytes - before;
    this.#writer.append(frame(FrameType.SETTINGS, Flag.ACK, 0, NO_BYTES));
    this.#pumpAll();
    const isFirst = !this.#hasSettings;
    this.#hasSettings = true;
    this.#user.onSettings(isFirst);
  }

  /** 6.8: streams behind the last that it names were not looked at. */
  #onGoaway(bytes: Buffer, start: number, end: number): void {
    if (end - start < GOAWAY_BYTES_MIN) throw new BadAnswer('a GOAWAY that is too short');
    const lastId = bytes.readUInt32BE(start) & STREAM_ID_MAX;
    const code = bytes.readUInt32BE(start + 4);
    if (code !== ErrorCode.NO_ERROR) {
      const text = bytes.toString('utf8', start + GOAWAY_BYTES_MIN, end);
      this.#user.onFailed({ kind: 'connection closed', message: `GOAWAY ${errorName(code)}: ${text}` });
      return;
    }
    this.#isDraining = true;
    for (const id of [...this.#streams.keys()]) if (id > lastId) this.#end(id, true)?.onRefused();
    this.#reportDrained();
  }

  /** A stream that is over is forgotten before its owner hears of it. */
  #end(streamId: number, isRefused = false): ClientStream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return undefined;
    this.#streams.delete(streamId);
    if (stream.pieces.length > 0) this.#giveUpBody(stream);
    stream.id = 0;
    if (this.#isDraining && !isRefused && this.#streams.size === 0) process.nextTick(() => this.#reportDrained());
    return stream;
  }

  #reportDrained(): void {
    if (this.#isDraining && this.#streams.size === 0 && !this.#frames.isStopped) this.#user.onDrained();
  }

  /** The server answered before it had the whole request. */
  #giveUpBody(stream: ClientStream): void {
    stream.pieces.length = 0;
    stream.sentBytes = 0;
    this.#blocked.delete(stream);
    this.#writer.append(frame(FrameType.RST_STREAM, 0, stream.id, uint32(ErrorCode.CANCEL)));
  }

  #pumpAll(): void {
    for (const stream of [...this.#blocked]) this.#pump(stream);
  }

  /** Sends what the windows let. */
  #pump(stream: ClientStream): void {
    this.#blocked.delete(stream);
    const { pieces } = stream;
    while (pieces.length > 0) {
      const piece = pieces[0]!;
      const window = Math.min(stream.sendWindow, this.#sendWindow, this.settings.maxFrameBytes);
      if (window <= 0) {
        this.#blocked.add(stream);
        return;
      }
      const begin = stream.sentBytes;
      const part = piece.subarray(begin, begin + window);
      const isPieceEnd = begin + part.length === piece.length;
      stream.sentBytes = isPieceEnd ? 0 : begin + part.length;
      if (isPieceEnd) pieces.shift();
      const isEnd = pieces.length === 0 && stream.endsBehind;
      this.#frameHead(FrameType.DATA, isEnd ? Flag.END_STREAM : 0, stream.id, part.length);
      this.#writer.lend(part);
      this.#takeWindow(stream, part.length);
    }
  }

  #takeWindow(stream: ClientStream, bytes: number): void {
    stream.sendWindow -= bytes;
    this.#sendWindow -= bytes;
  }

  #frameHead(type: number, flags: number, streamId: number, payloadBytes: number): void {
    const at = this.#writer.reserve(FRAME_HEADER_BYTES);
    const { block } = this.#writer;
    block[at] = payloadBytes >> 16;
    block[at + 1] = payloadBytes >> 8;
    block[at + 2] = payloadBytes;
    block[at + 3] = type;
    block[at + 4] = flags;
    block.writeUInt32BE(streamId, at + 5);
  }

  #countReceived(bytes: number): void {
    this.#received += bytes;
    if (this.#received < REOPEN_BYTES) return;
    this.#writer.append(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(this.#received)));
    this.#received = 0;
  }

  #countStream(stream: ClientStream, bytes: number): void {
    stream.received += bytes;
    if (stream.received < REOPEN_BYTES) return;
    this.#writer.append(frame(FrameType.WINDOW_UPDATE, 0, stream.id, uint32(stream.received)));
    stream.received = 0;
  }
}

const NO_BYTES = Buffer.alloc(0);

/** Of the frame that begins at `at`, with its header; 0 = its length has not come. We let the server send no longer ones than it may anyway. */
function frameBytes(bytes: Buffer, at: number, available: number): number {
  if (available < 3) return 0;
  const payload = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  if (payload <= FRAME_BYTES_MIN) return FRAME_HEADER_BYTES + payload;
  throw new BadAnswer(`a frame of ${payload} bytes, where at most ${FRAME_BYTES_MIN} are allowed; is this HTTP/2?`);
}

/** 6.1: the length of the padding stands before the data. */
function unpadded(bytes: Buffer, start: number, end: number): readonly [start: number, end: number] {
  const dataEnd = end - bytes[start]!;
  if (dataEnd <= start) throw new BadAnswer('a frame has more padding than bytes');
  return [start + 1, dataEnd];
}

function numberAt(bytes: Buffer, start: number, end: number): number {
  if (end - start !== 4) throw new BadAnswer(`expected a frame of 4 bytes, found ${end - start}`);
  return bytes.readUInt32BE(start);
}
