import type { Log } from '../../base/log.js';
import type { Http1Connection } from '../../transport/http1/connection.js';
import type { HeldAnswer, Http1Exchange } from '../../transport/http1/exchange.js';
import { CHUNKED, type HeadWriter, hasBody, UNTIL_CLOSE } from '../../transport/http1/head-writer.js';
import { PartCursor } from '../../transport/http1/part-cursor.js';
import { handlerFailed, type Refusal } from '../../transport/http1/refusal.js';
import { StreamedBody } from '../../transport/http1/streamed-body.js';
import { type BodySink, type ExchangeOwner, type HttpExchange, type HttpHandler, UNSENT_BYTES_MAX } from './engine.js';
import { refusalBody, refusalHeaders } from './refusal-answer.js';

/** What an exchange needs of the listener that owns it. */
export interface NetHost {
  readonly heads: HeadWriter;
  readonly handler: HttpHandler;
  readonly log: Log;
}

/**
 * streaming: the owner's answer is on its way, and its end is not known. answered: it is, to its end. refused: the engine's own answer is, and the owner has been told that there will be no
 * other. over: the owner has been told.
 */
type State = 'open' | 'streaming' | 'answered' | 'refused' | 'over';

const nothing = new Uint8Array(0);
const noParts: readonly Uint8Array[] = [];

/** One request of our own HTTP/1.1 and its answer. Not pooled: pooling brought no speed, and a late answer finds nobody else here. */
export class NetExchange implements HttpExchange, Http1Exchange {
  readonly method: string;
  readonly path: string;
  readonly contentLength: number;
  owner: ExchangeOwner | null = null;
  held: HeldAnswer | null = null;

  readonly #host: NetHost;
  readonly #connection: Http1Connection;
  readonly #minorVersion: number;
  #keepAlive: boolean;
  #expectsContinue: boolean;
  #state: State = 'open';
  #sink: BodySink | null = null;
  /** Of an answer in pieces. */
  #stream: StreamedBody | null = null;
  /** The owner waits for `onWritable`. */
  #waitsForRoom = false;

  /** A request whose head is in `connection.head`. */
  constructor(host: NetHost, connection: Http1Connection) {
    const { head } = connection;
    this.method = head.method;
    this.path = head.path;
    this.contentLength = head.contentLength;
    this.#host = host;
    this.#connection = connection;
    this.#minorVersion = head.minorVersion;
    this.#keepAlive = head.keepAlive;
    this.#expectsContinue = head.expectsContinue;
  }

  query(): string {
    const { target } = this.#connection.head;
    const at = target.indexOf('?');
    return at < 0 ? '' : target.slice(at + 1);
  }

  header(name: string): string {
    return this.#connection.head.header(name);
  }

  eachHeader(visit: (name: string, value: string) => void): void {
    this.#connection.head.each(visit);
  }

  readBody(sink: BodySink): void {
    if (this.#state !== 'open') return;
    this.#sink = sink;
    if (!this.#expectsContinue) return;
    this.#expectsContinue = false;
    this.#connection.askForBody(this);
  }

  reply(status: number, headers: readonly string[], bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#respond('answered', status, headers, bytes);
  }

  send(status: number, headers: readonly string[], parts: readonly Uint8Array[]): void {
    if (this.#state !== 'open') return;
    let bytes = 0;
    for (const part of parts) bytes += part.length;
    const persistence = this.#prepare(status, headers, bytes);
    this.#state = 'answered';
    this.#connection.send(this, new PartCursor(this.#isBodiless(status) ? noParts : parts), persistence);
  }

  begin(status: number, headers: readonly string[]): void {
    if (this.#state !== 'open') return;
    const isChunked = this.#minorVersion > 0;
    const isBodiless = this.#isBodiless(status);
    if (!isChunked && !isBodiless) this.#keepAlive = false;
    const persistence = this.#prepare(status, headers, isChunked ? CHUNKED : UNTIL_CLOSE);
    this.#state = 'streaming';
    this.#stream = new StreamedBody(isBodiless ? 'none' : isChunked ? 'chunked' : 'plain');
    this.#connection.send(this, this.#stream, persistence);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'streaming') return true;
    this.#stream!.write(bytes);
    this.#connection.goOn();
    this.#waitsForRoom = this.#stream!.bytes > UNSENT_BYTES_MAX;
    return !this.#waitsForRoom;
  }

  end(): void {
    if (this.#state !== 'streaming') return;
    this.#state = 'answered';
    this.#stream!.end();
    this.#connection.goOn();
  }

  run(): void {
    try {
      this.#host.handler(this);
    } catch (error) {
      this.#fail(error);
    }
    if (this.contentLength === 0) this.onBody(nothing, true);
  }

  onBody(bytes: Uint8Array, isLast: boolean): void {
    if (this.#state !== 'open' || this.#sink === null) return;
    try {
      this.#sink.onChunk(this, bytes, isLast);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRefused(refusal: Refusal): void {
    this.#keepAlive = false;
    this.#refuse(refusal);
  }

  onRoom(): void {
    if (!this.#waitsForRoom) return;
    this.#waitsForRoom = false;
    try {
      this.owner?.onWritable?.(this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onSent(): void {
    const isOwners = this.#state === 'answered';
    this.#state = 'over';
    if (isOwners) this.#tell(() => this.owner?.onSent(this));
  }

  onAborted(): void {
    const isTold = this.#state === 'refused' || this.#state === 'over';
    this.#state = 'over';
    if (!isTold) this.#tell(() => this.owner?.onAborted(this));
  }

  #fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#host.log.error(`${this.method} ${this.path}: the handler threw ${text}`);
    // What has begun cannot be answered otherwise.
    if (this.#state === 'streaming') this.#connection.destroy();
    else this.#refuse(handlerFailed);
  }

  /** The engine's own answer, where none has begun. */
  #refuse(refusal: Refusal): void {
    if (this.#state !== 'open') return;
    this.#state = 'refused';
    this.#tell(() => this.owner?.onAborted(this));
    this.#respond('refused', refusal.status, refusalHeaders(refusal), refusalBody(refusal));
  }

  /** Throws, with the exchange as it was, where a header is none. */
  #respond(state: State, status: number, headers: readonly string[], bytes: Uint8Array): void {
    const persistence = this.#prepare(status, headers, bytes.length);
    this.#state = state;
    this.#connection.reply(this, this.#isBodiless(status) ? nothing : bytes, persistence);
  }

  /** A body that was not asked for may come or not: what follows cannot be told from it (RFC 9110, 10.1.1). */
  #prepare(status: number, headers: readonly string[], bodyBytes: number) {
    const keepAlive = this.#keepAlive && !this.#expectsContinue;
    const persistence = this.#connection.persistence(this, keepAlive, this.#minorVersion);
    this.#host.heads.prepare(status, headers, bodyBytes, persistence);
    return persistence;
  }

  #isBodiless(status: number): boolean {
    return this.method === 'HEAD' || !hasBody(status);
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#host.log.error(`${this.method} ${this.path}: the owner of the exchange threw ${String(error)}`);
    }
  }
}
