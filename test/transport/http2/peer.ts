import { BufferPool } from '../../../src/transport/http2/buffer-pool.js';
import { Connection, type ConnectionHost } from '../../../src/transport/http2/connection.js';
import { encodeFields } from '../../../src/transport/http2/hpack/encoder.js';
import { type ConnectionLimits, defaultLimits } from '../../../src/transport/http2/limits.js';
import type { Http2Stream, RequestFields, StreamHandler } from '../../../src/transport/http2/stream.js';
import { errorName } from '../../../src/transport/http2/wire.js';
import * as wire from './frames.js';
import type { Pair } from './hpack/dumb-hpack.js';

export const okFields = encodeFields([[':status', '200']]);
export const okTrailers = encodeFields([['grpc-status', '0']]);

/** What one stream was told, in order. */
export class Recorder implements StreamHandler {
  readonly stream: Http2Stream;
  readonly path: string;
  readonly fields: Pair[] = [];
  body = Buffer.alloc(0);
  trailers: Pair[] | null = null;
  readonly events: string[] = [];
  readonly #peer: Peer;

  constructor(peer: Peer, stream: Http2Stream, request: RequestFields) {
    this.#peer = peer;
    this.stream = stream;
    this.path = request.path;
    this.fields = readFields(request);
  }

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    this.body = Buffer.concat([this.body, bytes.subarray(start, end)]);
    if (this.events.at(-1) !== 'data') this.events.push('data');
    if (this.#peer.consumes) stream.consume(end - start);
  }

  onEnd(stream: Http2Stream, trailers: RequestFields | null): void {
    if (trailers !== null) this.trailers = readFields(trailers);
    this.events.push('end');
    if (this.#peer.answers) this.answer(this.body);
    else if (this.#peer.onEnd !== null) this.#peer.onEnd(stream);
  }

  onReset(_stream: Http2Stream, code: number): void {
    this.events.push(`reset ${errorName(code)}`);
  }

  onDrain(): void {
    this.events.push('drain');
  }

  answer(body: Buffer): void {
    this.stream.respond(okFields);
    this.stream.write(body);
    this.stream.end(okTrailers);
  }
}

function readFields(fields: RequestFields): Pair[] {
  return Array.from({ length: fields.length }, (_, index): Pair => [fields.nameAt(index), fields.valueAt(index)]);
}

export interface PeerOptions {
  readonly limits?: Partial<ConnectionLimits>;
  /** Echo each body when it is complete. */
  readonly answers?: boolean;
  /** Consume bodies as they come. */
  readonly consumes?: boolean;
  /** SETTINGS of the client. */
  readonly settings?: [number, number][];
}

/** A client without a socket, and the server's connection it talks to. */
export class Peer implements ConnectionHost {
  readonly connection: Connection;
  readonly streams = new Map<number, Recorder>();
  readonly violations: string[] = [];
  readonly answers: boolean;
  readonly consumes: boolean;
  onEnd: ((stream: Http2Stream) => void) | null = null;
  outputs = 0;
  nowMs = 0;
  readonly #log = new wire.FrameLog();

  constructor(options: PeerOptions = {}) {
    this.answers = options.answers ?? false;
    this.consumes = options.consumes ?? true;
    this.connection = new Connection({ ...defaultLimits, ...options.limits }, new BufferPool(), this);
  }

  /** A connection whose handshake is done and read. */
  static open(options: PeerOptions = {}): Peer {
    const peer = new Peer(options);
    peer.send(wire.preface, wire.settings(...(options.settings ?? [])), wire.settingsAck);
    peer.frames();
    return peer;
  }

  onStream = (stream: Http2Stream, request: RequestFields): StreamHandler => {
    const recorder = new Recorder(this, stream, request);
    this.streams.set(stream.id, recorder);
    return recorder;
  };

  onOutput(): void {
    this.outputs++;
  }

  readMs(): number {
    return this.nowMs;
  }

  onViolation(message: string): void {
    this.violations.push(message);
  }

  send(...frames: Buffer[]): void {
    this.connection.receive(Buffer.concat(frames));
  }

  /** What the server said since; the socket has taken all of it. */
  frames(): wire.ReadFrame[] {
    const read: wire.ReadFrame[] = [];
    for (let batch = this.connection.takeOutput(); batch !== null; batch = this.connection.takeOutput()) {
      read.push(...this.#log.read(Buffer.concat(batch.segments)));
      this.connection.settleOutput();
    }
    return read;
  }

  /** The same, of one type. */
  framesOf(type: number): wire.ReadFrame[] {
    return this.frames().filter((frame) => frame.type === type);
  }

  recorder(streamId: number): Recorder {
    return this.streams.get(streamId)!;
  }

  /** What the server said about the connection's end: code and reason; null = nothing. */
  goaway(): { code: string; reason: string; lastStreamId: number } | null {
    const frame = this.framesOf(wire.GOAWAY).at(-1);
    if (frame === undefined) return null;
    const code = errorName(frame.payload.readUInt32BE(4));
    return { code, reason: frame.payload.subarray(8).toString(), lastStreamId: frame.payload.readUInt32BE(0) };
  }

  /** Codes of RST_STREAM by stream. */
  resets(): Record<number, string> {
    return Object.fromEntries(
      this.framesOf(wire.RST_STREAM).map(({ streamId, payload }) => [streamId, errorName(payload.readUInt32BE(0))]),
    );
  }
}

/** The answer on a stream out of the frames of a server. */
export function answerOf(frames: readonly wire.ReadFrame[], streamId: number) {
  const own = frames.filter((frame) => frame.streamId === streamId);
  const sections = own.filter(({ type }) => type === wire.HEADERS);
  return {
    fields: Object.fromEntries(sections[0]?.fields ?? []),
    body: Buffer.concat(own.filter(({ type }) => type === wire.DATA).map(({ payload }) => payload)),
    trailers: sections.length > 1 ? Object.fromEntries(sections.at(-1)!.fields) : null,
    isEnded: own.some(
      ({ type, flags }) => (type === wire.HEADERS || type === wire.DATA) && (flags & wire.END_STREAM) !== 0,
    ),
  };
}
