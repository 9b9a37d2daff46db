import { Fifo } from '../../base/fifo.js';
import type { AnswerBody } from './answer-body.js';
import type { Http1Exchange } from './exchange.js';
import type { HeadWriter } from './head-writer.js';
import { type ByteSink, Outgoing } from './outgoing.js';
import type { Slab } from './slab.js';

/**
 * Of a large answer so much is handed to the socket at a time: what a socket has taken over cannot be seen to progress, and TLS makes
 * a copy of it.
 */
const SLICE_BYTES = 256 * 1024;

const continueLine = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/**
 * The answers of one connection. They leave in the order of the requests (RFC 9112, 9.3.2): one that comes early waits for those
 * before it. Heads are the ones prepared last in the writer. Knows the socket only as a `ByteSink`.
 */
export class Answers {
  readonly #slab: Slab;
  readonly #heads: HeadWriter;
  readonly #outgoing: Outgoing;
  /** Exchanges whose answer has not been handed on. */
  readonly #open = new Fifo<Http1Exchange>();
  /** Of the first exchange, where its answer is under way and not put together in one piece. */
  #sending: AnswerBody | null = null;
  /** It waits for 100 Continue, and for the answers before it. */
  #asked: Http1Exchange | null = null;

  constructor(slab: Slab, heads: HeadWriter) {
    this.#slab = slab;
    this.#heads = heads;
    this.#outgoing = new Outgoing(slab);
  }

  /** Exchanges whose answer has not been handed on. */
  get open(): number {
    return this.#open.length;
  }

  /** Bytes ready to be written. */
  get bytes(): number {
    return this.#outgoing.bytes;
  }

  isLast(exchange: Http1Exchange): boolean {
    return this.#open.length > 0 && this.#open.at(this.#open.length - 1) === exchange;
  }

  add(exchange: Http1Exchange): void {
    this.#open.push(exchange);
    if (exchange.held !== null && this.#open.length === 1) this.#advance();
  }

  /** A small answer; `body` is copied. */
  reply(exchange: Http1Exchange, body: Uint8Array): void {
    const headBytes = this.#heads.bytes;
    const start = this.#slab.take(headBytes + body.length);
    const end = start + headBytes + body.length;
    const { block } = this.#slab;
    this.#heads.write(block, start);
    if (body.length > 0) block.set(body, start + headBytes);
    if (this.#open.at(0) !== exchange) {
      exchange.held = { start: block.subarray(start, end), body: null };
      return;
    }
    this.#outgoing.addTaken(start, end);
    this.#complete(exchange);
  }

  /** A large answer, or one that comes piece by piece: `body` is written as the client reads it. */
  send(exchange: Http1Exchange, body: AnswerBody): void {
    const start = Buffer.allocUnsafe(this.#heads.bytes);
    this.#heads.write(start, 0);
    exchange.held = { start, body };
    if (this.#open.at(0) === exchange) this.#advance();
  }

  /** 100 Continue (RFC 9110, 15.2.1), as soon as all before it is answered. */
  askForBody(exchange: Http1Exchange): void {
    this.#asked = exchange;
    if (this.#open.at(0) === exchange) this.#advance();
  }

  /** Readies the next bytes; only when all before are written. False = there are none. */
  fill(): boolean {
    if (this.#sending !== null && this.#outgoing.bytes === 0) this.#goOn(this.#sending);
    this.#addSlice();
    return this.#outgoing.bytes > 0;
  }

  writeTo(sink: ByteSink): void {
    this.#outgoing.writeTo(sink);
  }

  /** Nobody waits for an answer any more, or nobody but for the one that is under way and known to its end. */
  abort(exceptSending: boolean): void {
    const kept = exceptSending && this.#sending?.isWhole ? this.#open.shift() : null;
    const aborted: Http1Exchange[] = [];
    while (this.#open.length > 0) aborted.push(this.#open.shift());
    if (kept === null) this.#sending = null;
    else this.#open.push(kept);
    for (const exchange of aborted) exchange.onAborted();
  }

  /** All that was there of the answer under way is written. */
  #goOn(sending: AnswerBody): void {
    const exchange = this.#open.at(0);
    if (sending.isEmpty && !sending.isWhole) exchange.onRoom();
    if (!sending.isEmpty || !sending.isWhole) return;
    this.#sending = null;
    this.#complete(exchange);
  }

  #addSlice(): void {
    const sending = this.#sending;
    if (sending === null) return;
    while (!sending.isEmpty && this.#outgoing.bytes < SLICE_BYTES) {
      this.#outgoing.addView(sending.take(SLICE_BYTES - this.#outgoing.bytes));
    }
  }

  /** The answer of the first exchange is handed on. */
  #complete(exchange: Http1Exchange): void {
    this.#open.shift();
    exchange.onSent();
    if (this.#open.length > 0) this.#advance();
  }

  /** Readies what is known of the first exchange's answer. */
  #advance(): void {
    const exchange = this.#open.at(0);
    if (exchange === this.#asked) {
      this.#asked = null;
      this.#outgoing.addView(continueLine);
    }
    const { held } = exchange;
    if (held === null || this.#sending !== null) return;
    exchange.held = null;
    this.#outgoing.addView(held.start);
    const { body } = held;
    if (body === null || (body.isWhole && body.isEmpty)) this.#complete(exchange);
    else this.#sending = body;
  }
}
