import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Log } from '../../base/log.js';
import { type HeadTexts, headText } from '../../transport/http1/answer-head.js';
import { hasBody } from '../../transport/http1/head-writer.js';
import { bodyTooLarge, bodyTooSlow, handlerFailed, type Refusal } from '../../transport/http1/refusal.js';
import type { BodySink, ExchangeOwner, HttpExchange, HttpHandler, HttpLimits } from './engine.js';
import { refusalBody, refusalHeaders } from './refusal-answer.js';
import type { RequestHead } from './request-head.js';
import { UwsStream, type UwsStreamOwner } from './uws-stream.js';

/** What an exchange needs of the listener that owns it. */
export interface UwsHost {
  readonly head: RequestHead;
  readonly heads: HeadTexts;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly draining: boolean;
  /** The exchange is over. `reusable` = everybody who could still hold it has been told. */
  onEnded(exchange: UwsExchange, reusable: boolean): void;
}

/**
 * `keep`: as the client wishes. `announce`: `Connection: close` is said and the client closes, because more of its request may be
 * under way, and a socket closed with unread bytes is reset and takes the answer with it (uWebSockets gives up after some 10 s).
 * `cut`: closed as soon as the answer is out.
 */
type Closing = 'keep' | 'announce' | 'cut';

const nothing = new Uint8Array(0);
const noParts: readonly Uint8Array[] = [];

/**
 * uWebSockets collects what is written inside a handler in a buffer of 16 KiB and reads the next request from the same segment before it
 * looks whether to close. An answer that does not fit is sent, and the connection closed, before `end` returns: what comes behind a head of
 * unknown end must not be read. Blanks after the JSON text make it that long.
 */
const OVER_CORK_BUFFER = 17 * 1024;

/** A pooled exchange: its callbacks are bound once, so a request costs neither a closure nor an object of ours. */
export class UwsExchange implements HttpExchange, UwsStreamOwner {
  method = '';
  path = '';
  contentLength = 0;
  owner: ExchangeOwner | null = null;

  readonly #host: UwsHost;
  #state: 'over' | 'open' | 'sending' | 'streaming' = 'over';
  #response: HttpResponse | null = null;
  /** uWebSockets' own: good while the handler runs. */
  #request: HttpRequest | null = null;
  #sink: BodySink | null = null;
  /** The host's tick when the head was there. */
  #startTick = 0;
  #bodyComplete = true;
  #bodyBytes = 0;
  /** uWebSockets corks a socket while it calls us about it: no need to ask for it. */
  #corked = false;
  #watched = false;
  #handedOn = false;
  /** uWebSockets hands us the rest of a body that was asked for, also when its request is answered: it must not reach another one. */
  #getsMore = false;

  #head = '';
  #closing: Closing = 'keep';
  /** While streaming. */
  #stream: UwsStream | null = null;
  #bytes: Uint8Array = nothing;
  #parts = noParts;
  #totalBytes = 0;
  #part = 0;
  /** Bytes of the answer before the current part. */
  #partStart = 0;

  constructor(host: UwsHost) {
    this.#host = host;
  }

  /** A request whose head is in `host.head`. */
  take(response: HttpResponse, request: HttpRequest, method: string, tick: number): void {
    this.method = method;
    this.path = request.getUrl();
    this.#request = request;
    this.contentLength = this.#host.head.contentLength;
    this.#state = 'open';
    this.#response = response;
    this.#startTick = tick;
    this.#bodyComplete = this.contentLength === 0;
    this.#bodyBytes = 0;
    this.#closing = 'keep';
    this.#watched = false;
    this.#handedOn = false;
    this.#getsMore = false;
  }

  /** Inside uWebSockets' request callback. */
  run(handler: HttpHandler): void {
    this.#corked = true;
    this.#handedOn = true;
    try {
      handler(this);
    } catch (error) {
      this.#fail(error);
    }
    this.#request = null;
    if (this.#state !== 'over') {
      this.#watch();
      if (this.#sink !== null && this.contentLength === 0) this.#deliver(nothing, true);
    }
    this.#corked = false;
  }

  query(): string {
    return this.#request!.getQuery() ?? '';
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
    // An empty body is delivered by `run`: uWebSockets 20.30 forgets it where the head came in two segments.
    if (this.contentLength === 0) return;
    this.#getsMore = true;
    this.#response!.onData(this.#onData);
  }

  reply(status: number, headers: readonly string[], bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    if (this.#host.draining && bytes.length > 0) {
      // Told only when the kernel has it all: whoever waits for the end cuts the connections then.
      this.send(status, headers, [bytes.slice()]);
      return;
    }
    this.#sendWhole(status, headers, bytes, bytes.length);
    this.#end(true);
  }

  send(status: number, headers: readonly string[], parts: readonly Uint8Array[]): void {
    if (this.#state !== 'open') return;
    const totalBytes = countBytes(parts);
    if (totalBytes === 0 || this.method === 'HEAD') {
      this.#sendWhole(status, headers, nothing, totalBytes);
      this.#end(true);
      return;
    }
    this.#prepare(status, headers, totalBytes);
    this.#sendParts(parts);
  }

  begin(status: number, headers: readonly string[]): void {
    if (this.#state !== 'open') return;
    this.#prepare(status, headers, 0);
    this.#state = 'streaming';
    this.#watch();
    this.#stream = new UwsStream(this.#response!, this.#head, this.method === 'HEAD' || !hasBody(status), this);
  }

  write(bytes: Uint8Array): boolean {
    return this.#state !== 'streaming' || this.#stream!.write(bytes);
  }

  end(): void {
    if (this.#state === 'streaming') this.#stream!.end();
  }

  onRoom(): void {
    try {
      this.owner?.onWritable?.(this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onStreamed(): void {
    this.#end(true);
  }

  /** The engine's own answer; the owner is told that its own can no longer be sent. */
  refuse(refusal: Refusal, closing: Closing): void {
    if (this.#state !== 'open') return;
    this.#closing = closing;
    const body = refusalBody(refusal);
    this.#sendWhole(refusal.status, refusalHeaders(refusal), body, body.length);
    this.#end(false);
  }

  /** Only inside uWebSockets' request callback. */
  refuseAndCut(refusal: Refusal): void {
    const body = Buffer.alloc(OVER_CORK_BUFFER, ' ');
    refusalBody(refusal).copy(body);
    this.#response!.writeStatus(headText(refusal.status, refusalHeaders(refusal))).end(body, true);
    this.#end(false);
  }

  /** A body that somebody waits for and that is late is refused. */
  checkBody(oldestTick: number): void {
    const waiting = this.#state === 'open' && this.#sink !== null && !this.#bodyComplete;
    if (waiting && this.#startTick < oldestTick) this.refuse(bodyTooSlow(this.#host.limits.bodyTimeoutMs), 'cut');
  }

  /** Throws, with the exchange still open, where a header is no header. Status line and headers go over in one native call, as one text. */
  #prepare(status: number, headers: readonly string[], totalBytes: number): void {
    if (this.#host.draining && this.#closing === 'keep') this.#closing = 'announce';
    if (this.method === 'HEAD' && this.#closing === 'cut') this.#closing = 'announce';
    this.#head = this.#host.heads.textOf(status, headers);
    if (this.#closing === 'announce') this.#head += '\r\nConnection: close';
    this.#totalBytes = totalBytes;
  }

  /** `totalBytes` differs from the length of `bytes` where the request was HEAD. */
  #sendWhole(status: number, headers: readonly string[], bytes: Uint8Array, totalBytes: number): void {
    this.#prepare(status, headers, totalBytes);
    this.#bytes = bytes;
    if (this.#corked) this.#writeWhole();
    else this.#response!.cork(this.#writeWhole);
  }

  readonly #writeWhole = (): void => {
    const response = this.#response!;
    if (this.method === 'HEAD') {
      // Given a length, even `undefined`, `endWithoutBody` waits for the bytes for ever (20.30).
      response.writeStatus(`${this.#head}\r\nContent-Length: ${this.#totalBytes}`);
      response.endWithoutBody();
    } else {
      response.writeStatus(this.#head);
      response.end(this.#bytes, this.#closing === 'cut');
    }
  };

  #sendParts(parts: readonly Uint8Array[]): void {
    this.#state = 'sending';
    this.#parts = parts;
    this.#part = 0;
    this.#partStart = 0;
    if (this.#corked) this.#writeFirst();
    else this.#response!.cork(this.#writeFirst);
    if (this.#part === parts.length) this.#end(true);
    else this.#waitForRoom();
  }

  readonly #writeFirst = (): void => {
    this.#response!.writeStatus(this.#head);
    this.#writeParts();
  };

  /** Hands on parts until the socket takes no more. */
  #writeParts(): void {
    const response = this.#response!;
    let offset = response.getWriteOffset() - this.#partStart;
    for (; this.#part < this.#parts.length; this.#part++) {
      const part = this.#parts[this.#part]!;
      if (offset < part.length) {
        const [ok, done] = response.tryEnd(offset === 0 ? part : part.subarray(offset), this.#totalBytes);
        if (!ok && !done) return;
      }
      this.#partStart += part.length;
      offset = 0;
    }
  }

  #waitForRoom(): void {
    this.#watch();
    this.#response!.onWritable(this.#onWritable);
  }

  readonly #onWritable = (): boolean => {
    if (this.#state !== 'sending') return true;
    this.#writeParts();
    if (this.#part < this.#parts.length) return false;
    this.#end(true);
    return true;
  };

  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#response!.onAborted(this.#onAborted);
  }

  readonly #onAborted = (): void => {
    if (this.#state !== 'over') this.#end(false);
  };

  readonly #onData = (chunk: ArrayBuffer, last: boolean): void => {
    this.#bodyComplete = last;
    this.#getsMore = !last;
    this.#bodyBytes += chunk.byteLength;
    if (this.#state !== 'open') return;
    this.#corked = true;
    if (this.#bodyBytes > this.#host.limits.maxBodyBytes) {
      this.refuse(bodyTooLarge(this.#host.limits.maxBodyBytes), 'announce');
    } else {
      this.#deliver(chunk.byteLength === 0 ? nothing : new Uint8Array(chunk), last);
    }
    this.#corked = false;
  };

  #deliver(chunk: Uint8Array, last: boolean): void {
    try {
      this.#sink?.onChunk(this, chunk, last);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#host.log.error(`${this.method} ${this.path}: the handler threw ${describe(error)}`);
    // What has begun cannot be answered otherwise.
    if (this.#state === 'streaming') this.#response!.close();
    else this.refuse(handlerFailed, 'keep');
  }

  /** Exactly once per request: tells the owner, lets go of everything, goes back to the listener. */
  #end(sent: boolean): void {
    const owner = this.owner;
    this.#state = 'over';
    this.#response = null;
    this.#sink = null;
    this.#stream?.drop();
    this.#stream = null;
    this.#bytes = nothing;
    this.#parts = noParts;
    try {
      if (sent) owner?.onSent(this);
      else owner?.onAborted(this);
    } catch (error) {
      this.#host.log.error(`${this.method} ${this.path}: the owner of the exchange threw ${describe(error)}`);
    }
    this.owner = null;
    this.#host.onEnded(this, !this.#getsMore && (sent || owner !== null || !this.#handedOn));
  }
}

function countBytes(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
