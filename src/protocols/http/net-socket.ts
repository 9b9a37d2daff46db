import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Fifo } from '../../base/fifo.js';
import { Outgoing } from '../../transport/http1/outgoing.js';
import { PartCursor } from '../../transport/http1/part-cursor.js';
import type { Slab } from '../../transport/http1/slab.js';
import type { WorkQueue } from '../../transport/work-queue.js';
import { type MessageSocket, type PartsHolder, type SocketLimits, type SocketOwner, TEXT } from '../web-socket.js';

/** Of a large message so much is one fragment: between them pings are answered, and what a client takes can be seen. */
const FRAGMENT_BYTES = 256 * 1024;

/** Messages, pings and pongs of one client that are taken in a row; then it is the turn of the others, however many have come in one piece. */
const MESSAGES_PER_TURN = 256;

/** First byte of a frame (RFC 6455, 5.2). */
const FINAL = 0x80;
const CONTINUATION = 0;
const TEXT_FRAME = 1;
const BINARY_FRAME = 2;

const NUMBER_BYTES = 4;

const nothing = Buffer.alloc(0);

/** What a connection needs of the listener, which all of them share. */
export interface NetSocketHost {
  readonly slab: Slab;
  readonly work: WorkQueue;
  readonly limits: SocketLimits;
}

/**
 * A WebSocket on our own HTTP/1.1. The package ws reads, answers pings and closes; messages are written here, because all that get ready
 * in one turn can go to the kernel in one piece, and large ones without a copy.
 */
export class NetSocket implements MessageSocket {
  readonly canPause = true;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #host: NetSocketHost;
  readonly #outgoing: Outgoing;
  #owner!: SocketOwner;
  #sending: Sending | null = null;
  #closing: { readonly code: number; readonly reason: string } | null = null;
  /** Its owner wants no messages. */
  #isPaused = false;
  /** Messages, pings and pongs taken in this turn. */
  #taken = 0;
  /** It has had its turn, and waits for the next. */
  #isTurnOver = false;
  /** Messages that ws had read already when it was told to stop; null = none, and no memory for any. */
  #unread: Fifo<{ readonly message: Buffer; readonly isText: boolean }> | null = null;
  #isScheduled = false;
  #isWorking = false;
  /** The kernel has not taken all we have written. */
  #isBlocked = false;

  constructor(webSocket: WebSocket, socket: Socket, host: NetSocketHost) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#host = host;
    this.#outgoing = new Outgoing(host.slab);
  }

  start(owner: SocketOwner): void {
    this.#owner = owner;
    const webSocket = this.#webSocket;
    webSocket.on('message', (message: Buffer, isBinary: boolean) => this.#deliver(message, !isBinary));
    webSocket.on('ping', () => this.#onPing());
    webSocket.on('pong', () => this.#onPing());
    // What was wrong it tells the client itself, with its code.
    webSocket.on('error', () => {});
    webSocket.on('close', () => this.#onClose());
  }

  get isWritable(): boolean {
    return this.#sending === null && this.unsentBytes <= this.#host.limits.maxUnsentBytes;
  }

  get unsentBytes(): number {
    const { writableLength } = this.#socket;
    return this.#outgoing.bytes + writableLength + (this.#sending?.bytes ?? 0);
  }

  sendText(text: Uint8Array): void {
    if (this.#isOver) return;
    const head = headBytes(text.length);
    const start = this.#host.slab.take(head + text.length);
    const { block } = this.#host.slab;
    writeHead(block, start, FINAL | TEXT_FRAME, text.length);
    block.set(text, start + head);
    this.#add(start, start + head + text.length);
  }

  sendBinary(number: number, bytes: Uint8Array): void {
    if (this.#isOver) return;
    const payload = NUMBER_BYTES + bytes.length;
    const head = headBytes(payload);
    const start = this.#host.slab.take(head + payload);
    const { block } = this.#host.slab;
    writeHead(block, start, FINAL | BINARY_FRAME, payload);
    block.writeUInt32LE(number, start + head);
    block.set(bytes, start + head + NUMBER_BYTES);
    this.#add(start, start + head + payload);
  }

  sendParts(number: number, parts: readonly Uint8Array[], holder: PartsHolder): void {
    if (this.#isOver) {
      holder.onPartsReleased();
      return;
    }
    const first = number === TEXT ? parts : [numberBytes(number), ...parts];
    this.#sending = new Sending(number === TEXT ? TEXT_FRAME : BINARY_FRAME, first, holder);
    this.#workSoon();
  }

  ping(): void {
    // Between two frames: `work` writes whole ones only.
    if (!this.#isOver) this.#webSocket.ping();
  }

  pause(): void {
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readOn();
  }

  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    this.#workSoon();
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  /** Writes what is ready. */
  work(): void {
    const wasWritable = this.isWritable;
    this.#isScheduled = false;
    this.#isWorking = true;
    while (!this.#isBlocked && !this.#isOver && this.#fill()) {
      this.#outgoing.writeTo(this.#socket);
      if (this.#socket.writableLength > 0) this.#block();
    }
    this.#isWorking = false;
    // Whoever was told to wait waits for this; where the kernel is the one to wait for, `#onWritten` says it.
    if (!wasWritable && !this.#isBlocked && !this.#isOver) this.#owner.onDrain();
    this.#closeIfDone();
  }

  /** ws has said that it closes, or the client has: nothing may be written any more. */
  get #isOver(): boolean {
    return this.#webSocket.readyState !== this.#webSocket.OPEN;
  }

  #add(start: number, end: number): void {
    // Behind what is being sent.
    if (this.#sending !== null) this.#sending.addBehind(this.#host.slab.block.subarray(start, end));
    else this.#outgoing.addTaken(start, end);
    this.#workSoon();
  }

  #workSoon(): void {
    if (this.#isWorking || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#host.work.add(this);
  }

  /** Readies the next bytes, once all before are written. False = there are none. */
  #fill(): boolean {
    if (this.#sending?.isDone === true && this.#outgoing.bytes === 0) this.#finishSending();
    if (this.#sending !== null && this.#outgoing.bytes === 0) this.#sending.addFragment(this.#outgoing);
    return this.#outgoing.bytes > 0;
  }

  #finishSending(): void {
    const sending = this.#sending!;
    this.#sending = null;
    for (const frame of sending.behind) this.#outgoing.addView(frame);
    sending.holder.onPartsReleased();
    this.#owner.onDrain();
  }

  #block(): void {
    this.#isBlocked = true;
    // Called back when everything before it is written; 'drain' would not come for less than the high-water mark.
    this.#socket.write(nothing, this.#onWritten);
  }

  readonly #onWritten = (): void => {
    this.#isBlocked = false;
    if (this.#isOver) return;
    this.work();
    this.#owner.onDrain();
  };

  #closeIfDone(): void {
    if (this.#closing === null || this.#isOver || this.#isBlocked) return;
    if (this.#sending === null && this.#outgoing.bytes === 0)
      this.#webSocket.close(this.#closing.code, this.#closing.reason);
  }

  /** Messages may be handed on. */
  get #isReading(): boolean {
    return !this.#isPaused && !this.#isTurnOver;
  }

  #deliver(message: Buffer, isText: boolean): void {
    if (!this.#isReading) {
      this.#unread ??= new Fifo();
      this.#unread.push({ message, isText });
      return;
    }
    this.#owner.onMessage(message, isText);
    this.#count();
  }

  #onPing(): void {
    this.#owner.onPing();
    this.#count();
  }

  #count(): void {
    if (++this.#taken < MESSAGES_PER_TURN || this.#isTurnOver) return;
    this.#isTurnOver = true;
    this.#webSocket.pause();
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#isTurnOver = false;
    this.#taken = 0;
    this.#readOn();
  };

  #readOn(): void {
    while (this.#unread !== null && this.#isReading) {
      const { message, isText } = this.#unread.shift();
      if (this.#unread.length === 0) this.#unread = null;
      this.#deliver(message, isText);
    }
    if (this.#isReading) this.#webSocket.resume();
  }

  #onClose(): void {
    this.#unread = null;
    const sending = this.#sending;
    this.#sending = null;
    sending?.holder.onPartsReleased();
    this.#owner.onClosed();
  }
}

/** A large message under way, in fragments (RFC 6455, 5.4). */
class Sending {
  readonly holder: PartsHolder;
  /** Frames of messages that were sent after it. */
  readonly behind: Uint8Array[] = [];
  /** That are not handed on. */
  bytes: number;
  readonly #cursor: PartCursor;
  #left: number;
  #opcode: number;

  constructor(opcode: number, parts: readonly Uint8Array[], holder: PartsHolder) {
    this.holder = holder;
    this.#opcode = opcode;
    this.#cursor = new PartCursor(parts);
    this.#left = parts.reduce((sum, part) => sum + part.length, 0);
    this.bytes = this.#left;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  addBehind(frame: Uint8Array): void {
    this.behind.push(frame);
    this.bytes += frame.length;
  }

  addFragment(outgoing: Outgoing): void {
    let bytes = Math.min(this.#left, FRAGMENT_BYTES);
    this.#left -= bytes;
    this.bytes -= bytes;
    const head = Buffer.allocUnsafe(headBytes(bytes));
    writeHead(head, 0, this.#opcode | (this.#left === 0 ? FINAL : 0), bytes);
    this.#opcode = CONTINUATION;
    outgoing.addView(head);
    while (bytes > 0) {
      const view = this.#cursor.take(bytes);
      bytes -= view.length;
      outgoing.addView(view);
    }
  }
}

/** Of an unmasked frame, as servers send them. */
function headBytes(payload: number): number {
  if (payload < 126) return 2;
  return payload < 65_536 ? 4 : 10;
}

function writeHead(to: Buffer, at: number, first: number, payload: number): void {
  to[at] = first;
  if (payload < 126) {
    to[at + 1] = payload;
  } else if (payload < 65_536) {
    to[at + 1] = 126;
    to[at + 2] = payload >> 8;
    to[at + 3] = payload & 0xff;
  } else {
    to[at + 1] = 127;
    to.writeUIntBE(0, at + 2, 2);
    to.writeUIntBE(payload, at + 4, 6);
  }
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES);
  bytes.writeUInt32LE(number);
  return bytes;
}
