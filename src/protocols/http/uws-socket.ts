import type { WebSocket } from 'uWebSockets.js';
import { PartCursor } from '../../transport/http1/part-cursor.js';
import type { Slab } from '../../transport/http1/slab.js';
import type { WorkQueue } from '../../transport/work-queue.js';
import { type MessageSocket, type PartsHolder, type SocketLimits, type SocketOwner, TEXT } from '../web-socket.js';

/**
 * Longer messages are sent in fragments (RFC 6455, 5.4). From 16 KiB on uWebSockets 20.30 writes past its buffer (`us_socket_write2`), and
 * where the kernel takes a part of that only, it may wait for ever (inside of its event of room) or lose the rest (seen under load).
 */
const FRAGMENT_BYTES = 8 * 1024;

/** Answers to pings that the kernel has not taken, with what they wait behind: a client that only writes would fill the memory with them. */
const UNREAD_PONGS_MAX = 1024;

const NUMBER_BYTES = 4;

/** What a connection needs of the listener, which all of them share. */
export interface UwsSocketHost {
  readonly slab: Slab;
  readonly work: WorkQueue;
  readonly limits: SocketLimits;
}

interface Waiting {
  readonly message: Uint8Array;
  readonly isBinary: boolean;
}

/** A WebSocket of uWebSockets. What gets ready in one turn is sent in one go, which it calls corked. */
export class UwsSocket implements MessageSocket {
  readonly canPause = false;
  readonly #host: UwsSocketHost;
  readonly #open: (socket: MessageSocket) => SocketOwner;
  #owner: SocketOwner | null = null;
  /** Null = not open yet, or over: uWebSockets throws when it is asked for anything then. */
  #webSocket: WebSocket<unknown> | null = null;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #sending: Sending | null = null;
  #closing: { readonly code: number; readonly reason: string } | null = null;
  #isScheduled = false;
  /** Since the kernel had everything. */
  #unreadPongs = 0;

  constructor(host: UwsSocketHost, open: (socket: MessageSocket) => SocketOwner) {
    this.#host = host;
    this.#open = open;
  }

  get isWritable(): boolean {
    return this.#sending === null && this.unsentBytes <= this.#host.limits.maxUnsentBytes;
  }

  get unsentBytes(): number {
    const buffered = this.#webSocket?.getBufferedAmount() ?? 0;
    return buffered + this.#waitingBytes + (this.#sending?.bytes ?? 0);
  }

  sendText(text: Uint8Array): void {
    if (this.#webSocket === null) return;
    const start = this.#host.slab.take(text.length);
    const { block } = this.#host.slab;
    block.set(text, start);
    this.#add(block.subarray(start, start + text.length), false);
  }

  sendBinary(number: number, bytes: Uint8Array): void {
    if (this.#webSocket === null) return;
    const start = this.#host.slab.take(NUMBER_BYTES + bytes.length);
    const { block } = this.#host.slab;
    block.writeUInt32LE(number, start);
    block.set(bytes, start + NUMBER_BYTES);
    this.#add(block.subarray(start, start + NUMBER_BYTES + bytes.length), true);
  }

  sendParts(number: number, parts: readonly Uint8Array[], holder: PartsHolder): void {
    if (this.#webSocket === null) {
      holder.onPartsReleased();
      return;
    }
    this.#webSocket.cork(this.#flush);
    this.#sending = new Sending(number, parts, holder);
    this.#workSoon();
  }

  ping(): void {
    this.#webSocket?.ping();
  }

  pause(): void {}

  resume(): void {}

  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    this.#workSoon();
  }

  terminate(): void {
    this.#webSocket?.close();
  }

  /** Hands on what is ready. */
  work(): void {
    this.#isScheduled = false;
    if (this.#webSocket === null) return;
    const wasWritable = this.isWritable;
    this.#webSocket.cork(this.#flush);
    if (this.#sending?.isDone === true && this.#isTaken) this.#finishSending();
    // Whoever was told to wait waits for this; where the kernel is the one to wait for, uWebSockets says it.
    if (!wasWritable && this.isWritable && this.#webSocket !== null) this.#owner!.onDrain();
    this.#closeIfDone();
  }

  /** The events of uWebSockets, from here on. */
  onOpen(webSocket: WebSocket<unknown>): void {
    this.#webSocket = webSocket;
    this.#owner = this.#open(this);
  }

  onMessage(message: ArrayBuffer, isBinary: boolean): void {
    this.#owner!.onMessage(Buffer.from(message), !isBinary);
  }

  /** uWebSockets has answered it. */
  onPing(): void {
    this.#unreadPongs = this.#isTaken ? 0 : this.#unreadPongs + 1;
    if (this.#unreadPongs > UNREAD_PONGS_MAX) this.terminate();
    else this.#owner!.onPing();
  }

  onPong(): void {
    this.#owner!.onPing();
  }

  /** Later: inside this event uWebSockets 20.30 forgets to wait for more room after some kinds of writes. */
  onDrain(): void {
    setImmediate(this.#onRoom);
  }

  onClose(): void {
    this.#webSocket = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const sending = this.#sending;
    this.#sending = null;
    sending?.holder.onPartsReleased();
    this.#owner!.onClosed();
  }

  readonly #onRoom = (): void => {
    this.work();
    if (this.#webSocket !== null) this.#owner!.onDrain();
  };

  /** The kernel has everything that was handed on. */
  get #isTaken(): boolean {
    return this.#webSocket!.getBufferedAmount() === 0;
  }

  #add(message: Uint8Array, isBinary: boolean): void {
    this.#waiting.push({ message, isBinary });
    this.#waitingBytes += message.length;
    this.#workSoon();
  }

  #workSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#host.work.add(this);
  }

  /** What waits comes behind what is being sent. */
  readonly #flush = (): void => {
    const webSocket = this.#webSocket!;
    const sending = this.#sending;
    if (sending !== null) {
      while (!sending.isDone && this.#isTaken) sending.sendFragment(webSocket);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { message, isBinary } of waiting) sendWhole(webSocket, message, isBinary);
  };

  #finishSending(): void {
    const { holder } = this.#sending!;
    this.#sending = null;
    holder.onPartsReleased();
    this.#owner!.onDrain();
    if (this.#waiting.length > 0) this.#workSoon();
  }

  #closeIfDone(): void {
    const webSocket = this.#webSocket;
    if (this.#closing === null || webSocket === null || this.#sending !== null || !this.#isTaken) return;
    webSocket.cork(this.#flush);
    webSocket.end(this.#closing.code, this.#closing.reason);
  }
}

/** A large message under way, in fragments (RFC 6455, 5.4). */
class Sending {
  readonly holder: PartsHolder;
  /** That are not handed on. */
  bytes: number;
  readonly #isBinary: boolean;
  readonly #cursor: PartCursor;
  #hasBegun = false;

  constructor(number: number, parts: readonly Uint8Array[], holder: PartsHolder) {
    this.holder = holder;
    this.#isBinary = number !== TEXT;
    const all = this.#isBinary ? [numberAndHead(number, parts[0]!), ...parts.slice(1)] : parts;
    this.#cursor = new PartCursor(all);
    this.bytes = countBytes(all);
  }

  get isDone(): boolean {
    return this.bytes === 0;
  }

  sendFragment(webSocket: WebSocket<unknown>): void {
    const view = this.#cursor.take(FRAGMENT_BYTES);
    this.bytes -= view.length;
    if (!this.#hasBegun && this.isDone) webSocket.send(view, this.#isBinary, false);
    else if (!this.#hasBegun) webSocket.sendFirstFragment(view, this.#isBinary, false);
    else if (this.isDone) webSocket.sendLastFragment(view, false);
    else webSocket.sendFragment(view, false);
    this.#hasBegun = true;
  }
}

function sendWhole(webSocket: WebSocket<unknown>, message: Uint8Array, isBinary: boolean): void {
  if (message.length <= FRAGMENT_BYTES) {
    webSocket.send(message, isBinary, false);
    return;
  }
  const last = message.length - FRAGMENT_BYTES;
  webSocket.sendFirstFragment(message.subarray(0, FRAGMENT_BYTES), isBinary, false);
  let at = FRAGMENT_BYTES;
  for (; at < last; at += FRAGMENT_BYTES) webSocket.sendFragment(message.subarray(at, at + FRAGMENT_BYTES), false);
  webSocket.sendLastFragment(message.subarray(at), false);
}

function countBytes(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

function numberAndHead(number: number, head: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES + head.length);
  bytes.writeUInt32LE(number);
  bytes.set(head, NUMBER_BYTES);
  return bytes;
}
