import { Flag, FrameType } from '../../src/transport/http2/wire.js';
import type { AnswerFields } from '../load/wires/http2/answer-fields.js';
import { frame } from '../load/wires/http2/control-frames.js';
import { ClientConnection, type ConnectionUser, REOPEN_BYTES } from './client-connection.js';
import { type CallTemplate, callTemplate, streamOpening, windowUpdate } from './client-frames.js';
import { MessageCounter } from './message-counter.js';
import { framed } from './messages.js';

/** ModelInferResponse.model_name, and ModelStreamInferResponse.infer_response: fields 1 and 2 with a length. */
const UNARY_TAG = 0x0a;
const STREAM_TAG = 0x12;

const NO_BYTES = Buffer.alloc(0);

/** Keeps a number of messages in flight on one connection, each answer giving way to the next, until `stop`. */
abstract class Caller implements ConnectionUser {
  answered = 0;
  readonly done: Promise<void>;
  protected connection!: ClientConnection;
  protected isStopping = false;
  protected inFlight = 0;
  /** Answers of this turn, each of which lets one more message go. */
  protected freed = 0;
  protected resolve!: () => void;

  constructor() {
    this.done = new Promise((resolve) => (this.resolve = resolve));
  }

  async open(port: number): Promise<void> {
    this.connection = await ClientConnection.open(port, this);
  }

  /** Resolves when all is answered after `stop`; rejects for the first failure. */
  get finished(): Promise<void> {
    return Promise.race([this.done, this.connection.failed]);
  }

  start(inFlight: number): void {
    this.#send(inFlight);
  }

  stop(): void {
    this.isStopping = true;
  }

  close(): void {
    this.connection.close();
  }

  onTurn(): void {
    const count = this.freed;
    if (count === 0) return;
    this.freed = 0;
    this.inFlight -= count;
    this.answered += count;
    if (!this.isStopping) this.#send(count);
    else if (this.inFlight === 0) this.allAnswered();
  }

  #send(count: number): void {
    this.inFlight += count;
    this.sendMessages(count);
  }

  abstract onData(streamId: number, bytes: Buffer, start: number, end: number): void;
  abstract onTrailers(streamId: number, trailers: AnswerFields): void;
  protected abstract sendMessages(count: number): void;
  protected abstract allAnswered(): void;
}

/** A call for each message. */
export class UnaryCaller extends Caller {
  readonly #template: CallTemplate;
  readonly #bodyBytes: number;
  #nextId = 1;
  #messages = 0;

  constructor(message: Uint8Array) {
    super();
    const body = framed(message);
    this.#template = callTemplate(body);
    this.#bodyBytes = body.length;
  }

  /** Our server sends a small message in one frame, so streams need no state here. */
  override onData(_streamId: number, bytes: Buffer, start: number, end: number): void {
    if (bytes[start + 5] !== UNARY_TAG || bytes.readUInt32BE(start + 1) !== end - start - 5) {
      throw new Error(`expected a frame that is one answer, found ${bytes.toString('latin1', start, end)}`);
    }
    this.#messages++;
  }

  override onTrailers(_streamId: number, trailers: AnswerFields): void {
    assertOk(trailers);
    this.freed++;
  }

  protected override sendMessages(count: number): void {
    const { bytes, idOffsets } = this.#template;
    const frames = Buffer.allocUnsafe(count * bytes.length);
    for (let begin = 0; begin < frames.length; begin += bytes.length) {
      frames.set(bytes, begin);
      for (const offset of idOffsets) frames.writeUInt32BE(this.#nextId, begin + offset);
      this.#nextId += 2;
    }
    this.connection.send(frames, count * this.#bodyBytes);
  }

  protected override allAnswered(): void {
    if (this.#messages !== this.answered) throw new Error(`${this.answered} calls got ${this.#messages} answers`);
    this.resolve();
  }
}

const STREAM_ID = 1;

/** All messages on one call. */
export class StreamCaller extends Caller {
  readonly #frame: Buffer;
  readonly #bodyBytes: number;
  readonly #counter = new MessageCounter(STREAM_TAG);
  #isHalfClosed = false;
  #received = 0;

  constructor(message: Uint8Array) {
    super();
    const body = framed(message);
    this.#frame = frame(FrameType.DATA, 0, STREAM_ID, body);
    this.#bodyBytes = body.length;
  }

  override start(inFlight: number): void {
    this.connection.send(streamOpening(STREAM_ID), 0);
    super.start(inFlight);
  }

  override onData(_streamId: number, bytes: Buffer, start: number, end: number): void {
    this.freed += this.#counter.feed(bytes, start, end);
    this.#received += end - start;
    if (this.#received < REOPEN_BYTES) return;
    this.connection.send(windowUpdate(STREAM_ID, this.#received), 0);
    this.#received = 0;
  }

  override onTrailers(_streamId: number, trailers: AnswerFields): void {
    assertOk(trailers);
    if (!this.#isHalfClosed) throw new Error('the server ended the stream before it was half-closed');
    this.resolve();
  }

  protected override sendMessages(count: number): void {
    const size = this.#frame.length;
    const frames = Buffer.allocUnsafe(count * size);
    for (let begin = 0; begin < frames.length; begin += size) frames.set(this.#frame, begin);
    this.connection.send(frames, count * this.#bodyBytes);
  }

  protected override allAnswered(): void {
    this.#isHalfClosed = true;
    this.connection.send(frame(FrameType.DATA, Flag.END_STREAM, STREAM_ID, NO_BYTES), 0);
  }
}

function assertOk({ grpcStatus, grpcMessage }: AnswerFields): void {
  if (grpcStatus !== 0) throw new Error(`a call failed with status ${grpcStatus}: ${grpcMessage}`);
}
