import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ErrorCode, errorName, Flag, FrameType, frameName } from '../../src/transport/http2/wire.js';
import { type AnswerFields, FieldSectionReader } from '../load/wires/http2/answer-fields.js';
import { frame, opening } from '../load/wires/http2/control-frames.js';
import { windowUpdate } from './client-frames.js';
import { FrameSplitter } from './frame-splitter.js';

/** What the server may send is opened again by so much at a time. */
export const REOPEN_BYTES = 2 ** 28;

/** The owner of a connection: sends calls on it. `bytes[start, end)` is valid during the call. */
export interface ConnectionUser {
  onData(streamId: number, bytes: Buffer, start: number, end: number): void;
  /** The end of a stream. Throws where its status is not the one that was expected. */
  onTrailers(streamId: number, trailers: AnswerFields): void;
  /** A chunk of the socket is read to its end: time to send. */
  onTurn(): void;
}

/**
 * The client's end of HTTP/2, as far as a load generator for our own server needs it: one owner, few checks. Any failure rejects
 * `failed`.
 */
export class ClientConnection {
  readonly failed: Promise<never>;
  readonly #socket: Socket;
  readonly #user: ConnectionUser;
  readonly #sections = new FieldSectionReader();
  #fail!: (error: Error) => void;
  #ready!: () => void;
  /** What may still be sent on the connection. */
  #window = 65_535;
  #received = 0;
  #isClosing = false;

  private constructor(socket: Socket, user: ConnectionUser) {
    this.#socket = socket;
    this.#user = user;
    this.failed = new Promise((_, reject) => (this.#fail = reject));
    // It may come when nobody waits for it yet.
    this.failed.catch(() => {});
  }

  /** Resolves when the server has told its settings. */
  static async open(port: number, user: ConnectionUser): Promise<ClientConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const connection = new ClientConnection(socket, user);
    const ready = new Promise<void>((resolve) => (connection.#ready = resolve));
    connection.#start();
    await Promise.race([ready, connection.failed]);
    return connection;
  }

  /** Whole frames; `dataBytes` of them count against the window. */
  send(frames: Buffer, dataBytes: number): void {
    this.#window -= dataBytes;
    if (this.#window < 0) throw new Error("the server's window is full: put less in flight");
    this.#socket.write(frames);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  /** Goes away in the middle of everything: hangs up (FIN), or makes the connection void (RST). */
  vanish(how: 'FIN' | 'RST'): void {
    this.#isClosing = true;
    if (how === 'FIN') this.#socket.end();
    else this.#socket.resetAndDestroy();
  }

  #start(): void {
    const splitter = new FrameSplitter(this.#take.bind(this));
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        splitter.feed(chunk);
        this.#user.onTurn();
      } catch (error) {
        this.#fail(error as Error);
        this.close();
      }
    });
    this.#socket.on('error', this.#fail);
    this.#socket.on('close', () => {
      if (!this.#isClosing) this.#fail(new Error('the server closed the connection'));
    });
    this.#socket.write(opening());
  }

  #take(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.DATA) {
      this.#user.onData(streamId, bytes, start, end);
      this.#count(end - start);
      if ((flags & Flag.END_STREAM) !== 0) throw new Error('a stream ended without trailers');
    } else if (type === FrameType.HEADERS) {
      const fields = this.#sections.read(bytes, start, end);
      if ((flags & Flag.END_STREAM) !== 0) this.#user.onTrailers(streamId, fields);
    } else {
      this.#takeControl(type, flags, streamId, bytes, start, end);
    }
  }

  #takeControl(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.WINDOW_UPDATE) {
      if (streamId === 0) this.#window += bytes.readUInt32BE(start);
    } else if (type === FrameType.SETTINGS) {
      if ((flags & Flag.ACK) === 0) this.#acceptSettings();
    } else if (type === FrameType.PING) {
      if ((flags & Flag.ACK) === 0) this.#socket.write(frame(FrameType.PING, Flag.ACK, 0, bytes.subarray(start, end)));
    } else {
      const code = type === FrameType.RST_STREAM ? bytes.readUInt32BE(start) : ErrorCode.NO_ERROR;
      throw new Error(`the server sent ${frameName(type)}, ${errorName(code)}, on stream ${streamId}`);
    }
  }

  #acceptSettings(): void {
    this.#socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0)));
    this.#ready();
  }

  /** Opens the connection's window again; that of a long stream is its user's. */
  #count(bytes: number): void {
    this.#received += bytes;
    if (this.#received < REOPEN_BYTES) return;
    this.#socket.write(windowUpdate(0, this.#received));
    this.#received = 0;
  }
}
