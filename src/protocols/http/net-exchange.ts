import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../../base/log.js';
import { refusalBody, refusalHeaders } from './answer-head.js';
import type { BodySink, ExchangeOwner, HttpExchange, HttpHandler, HttpLimits } from './engine.js';
import { bodyTooLarge, handlerFailed, type Refusal, type RequestHead } from './request-head.js';

/** What an exchange needs of the listener that owns it. */
export interface NetHost {
  readonly head: RequestHead;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly draining: boolean;
  onEnded(exchange: NetExchange): void;
}

const nothing = new Uint8Array(0);

/** How long a refused client may go on sending before its connection is cut: a socket closed with unread bytes is reset and takes the answer with it. */
const LINGER_MS = 1000;

/** One request of node:http and its answer. */
export class NetExchange implements HttpExchange {
  readonly method: string;
  readonly path: string;
  readonly contentLength: number;
  owner: ExchangeOwner | null = null;

  readonly #host: NetHost;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #expectsContinue: boolean;
  /** `refused`: the engine's own answer is on its way, and the owner has been told that there will be no other. */
  #state: 'open' | 'sending' | 'refused' | 'over' = 'open';
  #sink: BodySink | null = null;
  #bodyBytes = 0;
  #lastDelivered = false;

  /** A request whose head is in `host.head`. */
  constructor(host: NetHost, request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) {
    this.#host = host;
    this.#request = request;
    this.#response = response;
    this.#expectsContinue = expectsContinue;
    this.method = request.method!;
    this.path = pathOf(request.url!);
    this.contentLength = host.head.contentLength;
    response.once('finish', () => this.#onFinish());
  }

  get socket(): Socket {
    return this.#request.socket;
  }

  /** The body has come to its end, whether or not anybody read it. */
  get bodyComplete(): boolean {
    return this.#request.complete;
  }

  run(handler: HttpHandler): void {
    try {
      handler(this);
    } catch (error) {
      this.#fail(error);
    }
    if (this.contentLength === 0) this.#deliver(nothing, true);
    // Not read: to its end and dropped, so that the next request is found. With an `Expect` it is never sent.
    if (this.#sink === null && !this.#expectsContinue) this.#request.resume();
  }

  header(name: string): string {
    return this.#host.head.header(name);
  }

  eachHeader(visit: (name: string, value: string) => void): void {
    this.#host.head.each(visit);
  }

  readBody(sink: BodySink): void {
    if (this.#state !== 'open') return;
    this.#sink = sink;
    if (this.contentLength === 0) return;
    if (this.#expectsContinue) this.#response.writeContinue();
    this.#request.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#request.on('end', () => this.#deliver(nothing, true));
  }

  reply(status: number, headers: readonly string[], bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#writeHead(status, headers, bytes.length, this.#host.draining);
    this.#state = 'sending';
    // A copy: node keeps what the socket does not take at once.
    this.#response.end(Buffer.from(bytes));
  }

  /** All parts are handed over at once, as views: node queues references and writes as the client reads. */
  send(status: number, headers: readonly string[], parts: readonly Uint8Array[]): void {
    if (this.#state !== 'open') return;
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    this.#writeHead(status, headers, bytes, this.#host.draining);
    this.#state = 'sending';
    for (const part of parts) {
      if (part.length > 0) this.#response.write(part);
    }
    this.#response.end();
  }

  /** The engine's own answer, with which the connection closes unless `keep`. False = too late, an answer has begun. */
  refuse(refusal: Refusal, keep = false): boolean {
    if (this.#state !== 'open') return false;
    const body = refusalBody(refusal);
    this.#writeHead(refusal.status, refusalHeaders(refusal), body.length, !keep);
    this.#state = 'refused';
    this.#tellAborted();
    this.#request.resume();
    if (keep || this.bodyComplete || this.method === 'HEAD') this.#response.end(body);
    else this.#endLate(body);
    return true;
  }

  /** The connection is gone. */
  abort(): void {
    if (this.#state === 'over') return;
    const told = this.#state === 'refused';
    this.#state = 'over';
    if (!told) this.#tellAborted();
    this.#host.onEnded(this);
  }

  #endLate(body: Buffer): void {
    this.#response.write(body);
    const end = () => this.#response.end();
    const timer = setTimeout(end, LINGER_MS);
    this.#request.once('end', end);
    this.#request.once('close', () => clearTimeout(timer));
    this.#response.once('close', () => clearTimeout(timer));
  }

  #writeHead(status: number, headers: readonly string[], bytes: number, close: boolean): void {
    const all = [...headers, 'Content-Length', String(bytes)];
    if (close) all.push('Connection', 'close');
    this.#response.writeHead(status, all);
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > this.#host.limits.maxBodyBytes) {
      this.refuse(bodyTooLarge(this.#host.limits.maxBodyBytes));
      return;
    }
    this.#deliver(chunk, this.#bodyBytes === this.contentLength);
  }

  #deliver(chunk: Uint8Array, last: boolean): void {
    if (this.#state !== 'open' || this.#sink === null || this.#lastDelivered) return;
    this.#lastDelivered = last;
    try {
      this.#sink.onChunk(this, chunk, last);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#host.log.error(`${this.method} ${this.path}: the handler threw ${text}`);
    this.refuse(handlerFailed, true);
  }

  #onFinish(): void {
    if (this.#state === 'over') return;
    const told = this.#state === 'refused';
    this.#state = 'over';
    if (!told) this.#tell(() => this.owner?.onSent(this));
    this.#host.onEnded(this);
  }

  #tellAborted(): void {
    this.#tell(() => this.owner?.onAborted(this));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#host.log.error(`${this.method} ${this.path}: the owner of the exchange threw ${String(error)}`);
    }
  }
}

const authority = /^https?:\/\/[^/?#]*/i;

/** Without the query; of the absolute form (RFC 9112, 3.2.2) the path. */
function pathOf(target: string): string {
  const query = target.indexOf('?');
  const plain = query < 0 ? target : target.slice(0, query);
  if (plain.startsWith('/')) return plain;
  return plain.replace(authority, '') || '/';
}
