import { Flag, FRAME_HEADER_BYTES, FrameType } from '../../src/transport/http2/wire.js';
import { ClientConnection, type ConnectionUser, REOPEN_BYTES } from '../grpc/client-connection.js';
import { streamOpening, windowUpdate } from '../grpc/client-frames.js';
import type { AnswerFields } from '../load/wires/http2/answer-fields.js';
import { frame } from '../load/wires/http2/control-frames.js';
import type { Channel, ChannelUser, Vanishing } from './channel.js';
import { PieceSplitter } from './piece-splitter.js';

export const STREAM_ID = 1;
/** Of a message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

function messageSize(bytes: Buffer, at: number, end: number): number {
  return end - at < PREFIX_BYTES ? 0 : PREFIX_BYTES + bytes.readUInt32BE(at + 1);
}

/** A connection with one ModelStreamInfer. */
export class GrpcChannel implements Channel, ConnectionUser {
  readonly ended: Promise<void>;
  readonly #user: ChannelUser;
  readonly #answers: PieceSplitter;
  #connection!: ClientConnection;
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  #received = 0;
  #isHalfClosed = false;
  #isOver = false;

  private constructor(user: ChannelUser) {
    this.#user = user;
    this.#answers = new PieceSplitter(messageSize, (bytes, start, end) =>
      this.#user.onAnswer(bytes, start + PREFIX_BYTES, end),
    );
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may come when nobody waits for it yet.
    this.ended.catch(() => {});
  }

  static async open(port: number, user: ChannelUser): Promise<GrpcChannel> {
    const channel = new GrpcChannel(user);
    channel.#connection = await ClientConnection.open(port, channel);
    channel.#connection.failed.catch(channel.#reject);
    channel.#connection.send(streamOpening(STREAM_ID), 0);
    return channel;
  }

  send(steps: Buffer, count: number): void {
    this.#connection.send(steps, steps.length - count * FRAME_HEADER_BYTES);
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#connection.send(frame(FrameType.DATA, Flag.END_STREAM, STREAM_ID, Buffer.alloc(0)), 0);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  vanish(how: Vanishing): void {
    this.#isOver = true;
    this.#connection.vanish(how);
  }

  close(): void {
    this.#isOver = true;
    this.#connection.close();
  }

  onData(_streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    this.#answers.feed(bytes, start, end);
    this.#received += end - start;
    if (this.#received < REOPEN_BYTES) return;
    this.#connection.send(windowUpdate(STREAM_ID, this.#received), 0);
    this.#received = 0;
  }

  onTrailers(_streamId: number, { grpcStatus, grpcMessage }: AnswerFields): void {
    if (this.#isOver) return;
    if (!this.#isHalfClosed || grpcStatus !== 0)
      throw new Error(`the stream ended early, with status ${grpcStatus}: ${grpcMessage}`);
    this.#resolve();
  }

  onTurn(): void {
    if (!this.#isOver) this.#user.onTurn();
  }
}
