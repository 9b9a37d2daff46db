import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { upgradeRequest } from '../ws/request-template.js';
import type { Channel, ChannelUser, Vanishing } from './channel.js';
import { PieceSplitter } from './piece-splitter.js';

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PING = 0x89;

/** Code 1000 (RFC 6455, 7.4.1), under a mask of zeros. */
const CLOSE_FRAME = Buffer.of(CLOSE, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe8);

/** Of a frame without a mask: its type, and its length in 0, 2 or 8 more bytes. */
function headBytes(bytes: Buffer, at: number): number {
  const length = bytes[at + 1]!;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function frameSize(bytes: Buffer, at: number, end: number): number {
  if (end - at < 2) return 0;
  const head = headBytes(bytes, at);
  if (end - at < head) return 0;
  if (head === 2) return head + bytes[at + 1]!;
  return head + (head === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2)));
}

/** One WebSocket. */
export class WsChannel implements Channel {
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #user: ChannelUser;
  readonly #frames: PieceSplitter;
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  #isHalfClosed = false;
  #isOver = false;

  private constructor(socket: Socket, user: ChannelUser) {
    this.#socket = socket;
    this.#user = user;
    this.#frames = new PieceSplitter(frameSize, this.#take.bind(this));
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ended.catch(() => {});
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', this.#reject);
    socket.on('close', () => this.#reject(new Error('the server closed the connection')));
  }

  static async open(port: number, path: string, user: ChannelUser): Promise<WsChannel> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    socket.write(upgradeRequest(path));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString().startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${answer}`);
    return new WsChannel(socket, user);
  }

  send(steps: Buffer): void {
    this.#socket.write(steps);
  }

  /** A short message beside the steps, under a mask of zeros. */
  sendText(text: string): void {
    this.#socket.write(Buffer.concat([Buffer.of(TEXT, 0x80 | text.length, 0, 0, 0, 0), Buffer.from(text)]));
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#socket.write(CLOSE_FRAME);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  vanish(how: Vanishing): void {
    this.#isOver = true;
    if (how === 'FIN') this.#socket.end();
    else this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#frames.feed(chunk, 0, chunk.length);
      if (!this.#isOver) this.#user.onTurn();
    } catch (error) {
      this.#reject(error as Error);
      this.close();
    }
  }

  #take(bytes: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    const type = bytes[start];
    if (type === TEXT || type === BINARY) this.#user.onAnswer(bytes, start + headBytes(bytes, start), end);
    else if (type === PING) this.#socket.write(Buffer.of(0x8a, 0x80, 0, 0, 0, 0));
    else if (type === CLOSE && this.#isHalfClosed) this.#resolve();
    else throw new Error(`the server sent a frame of type ${type?.toString(16)}`);
  }
}
