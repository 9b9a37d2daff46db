import type { Socket } from 'node:net';
import { refusalAnswer } from './answer-head.js';
import type { NetExchange } from './net-exchange.js';
import type { Refusal } from './request-head.js';

/** How long a client may still read its last answer before its connection is cut. */
const LINGER_MS = 1000;

/** Requests pipelined behind each other before we read no more from a connection. */
const PIPELINED_MAX = 64;

/** A socket and its requests in order: answers leave in that order, also the answer to bytes that are no request. */
export class NetConnection {
  /** What comes from now on is not looked at. */
  isClosing = false;

  readonly #socket: Socket;
  readonly #open: NetExchange[] = [];
  #lastAnswer: Buffer | null = null;
  #paused = false;
  /** Bytes that had come when the last request was over. */
  #bytesSeen = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Nothing is open or being said, and no part of a request has come since. */
  get isIdle(): boolean {
    return !this.isClosing && this.#open.length === 0 && this.#socket.bytesRead === this.#bytesSeen;
  }

  add(exchange: NetExchange): void {
    this.#open.push(exchange);
    if (this.#open.length < PIPELINED_MAX || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  remove(exchange: NetExchange): void {
    this.#open.splice(this.#open.indexOf(exchange), 1);
    if (this.#open.length > 0) return;
    this.#bytesSeen = this.#socket.bytesRead;
    if (this.#lastAnswer !== null) this.hangUp(this.#lastAnswer);
    else if (this.#paused) this.#resume();
  }

  /** What came on the connection is no request, or not all of one. */
  fail(refusal: Refusal): void {
    if (this.isClosing) return;
    this.isClosing = true;
    const current = this.#open.at(-1);
    if (current !== undefined && !current.bodyComplete) {
      if (!current.refuse(refusal)) this.#socket.destroy();
    } else if (current === undefined) {
      this.hangUp(refusalAnswer(refusal));
    } else {
      this.#lastAnswer = refusalAnswer(refusal);
    }
  }

  /** Says a last thing, and closes when it had a chance to be read. */
  hangUp(lastAnswer: Buffer): void {
    this.isClosing = true;
    this.#lastAnswer = null;
    this.#socket.end(lastAnswer);
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  abortAll(): void {
    for (const exchange of [...this.#open]) exchange.abort();
  }

  #resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }
}
