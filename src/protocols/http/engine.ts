import type { Log } from '../../base/log.js';
import type { SocketHandler } from '../web-socket.js';

/**
 * What the server needs of an HTTP/1.1 implementation, and nothing of inference. Two engines implement it, `uws.ts` and
 * `net.ts`; `test/protocols/http/engine.contract.ts` is run over both.
 */
export interface HttpEngine {
  readonly name: 'uws' | 'net';
  /**
   * Throws a ServerError that names address and port when they cannot be had.
   * @param sockets who is asked for WebSockets; left out or null = nobody, and their requests are requests as any other
   */
  listen(options: ListenOptions, handler: HttpHandler, sockets?: SocketHandler | null): Promise<HttpListener>;
}

export interface ListenOptions {
  readonly address: string;
  /** 0 = any free port; the real one is in `HttpListener.port`. */
  readonly port: number;
  /** SO_REUSEPORT. */
  readonly reusePort: boolean;
  readonly limits: HttpLimits;
  readonly log: Log;
}

/** Each bound has a flag of the same name; over it is a named answer, never growth. */
export interface HttpLimits {
  /** Any request body; over it: 413, without reading it. */
  readonly maxBodyBytes: number;
  /** All header lines together; over it: 431. */
  readonly maxHeaderBytes: number;
  /** Over it: 431. */
  readonly maxHeaderCount: number;
  /** Open connections; over it a new one is answered 429 where the engine can, and closed. */
  readonly maxConnections: number;
  /** A connection between requests, or whose client takes nothing more of its answer, also of one in pieces; 0 = for ever. */
  readonly idleTimeoutMs: number;
  /** From the head of a request to the last byte of its body; over it: 408 and the connection closes. The engine net gives a head as long, too. */
  readonly bodyTimeoutMs: number;
}

/** Called once per request when its head is complete. Headers can be read only until it returns. */
export type HttpHandler = (exchange: HttpExchange) => void;

export interface HttpListener {
  readonly port: number;
  /** Open connections, WebSockets included, for the metrics; open exchanges where the engine does not know of connections (uWebSockets 20.30). */
  readonly connections: number;
  /** Accepts no more connections; answers on open ones carry `Connection: close`; idle ones are closed where the engine knows them. */
  drain(): void;
  /** Resolves when no exchange is open. Only after `drain`. */
  idle(): Promise<void>;
  /** Cuts what is left. */
  close(): Promise<void>;
}

/** Takes the body of one request. Objects are pooled by their owner, so methods get the exchange. */
export interface BodySink {
  /** `chunk` is valid only during the call; `last` comes exactly once (with an empty chunk where there is no body) unless aborted. */
  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void;
}

/** Is told how an exchange ended: exactly one of the two, exactly once, after which the exchange belongs to the engine again. */
export interface ExchangeOwner {
  /** The answer was handed to the socket to its last byte: views given to `send` are free again. */
  onSent(exchange: HttpExchange): void;
  /**
   * The client is gone before the answer was sent, or the engine answered in the owner's place (413, 408, or 500 for a handler or sink
   * that threw): views given to `send` are free again, nothing can be sent any more.
   */
  onAborted(exchange: HttpExchange): void;
  /** After a `write` that was false: the socket has taken what was written. The answer may go on, or end. */
  onWritable?(exchange: HttpExchange): void;
}

/** Of an answer in pieces so much may wait for the client before its owner has to, and one piece more. */
export const UNSENT_BYTES_MAX = 64 * 1024;

/** One request and its answer. Pooled by the engine: nobody keeps it after `onSent` or `onAborted`. */
export interface HttpExchange {
  /** As sent: methods are case-sensitive (RFC 9110, 9.1). */
  readonly method: string;
  /** As sent: not decoded, without the query string. */
  readonly path: string;
  /** Behind the `?` of the target, as sent; '' = there is none. Only inside the handler. */
  query(): string;
  /** As announced; -1 = chunked. */
  readonly contentLength: number;
  /** By lower-case name, '' where absent. Only inside the handler. */
  header(name: string): string;
  /** Calls back for each header as sent (name in lower case). Only inside the handler. */
  eachHeader(visit: (name: string, value: string) => void): void;
  /** Inside the handler, at most once. A body that nobody reads is read to its end and dropped, so the connection stays usable. */
  readBody(sink: BodySink): void;
  /** Who is told of the end; null = nobody. May be set at any time before the answer. */
  owner: ExchangeOwner | null;
  /**
   * Sends the whole answer; `bytes` may be reused when it returns. For bodies up to some 64 KiB.
   * `headers` is flat: name, value, name, value; Content-Length is the engine's.
   */
  reply(status: number, headers: readonly string[], bytes: Uint8Array): void;
  /** Sends views in order with back-pressure, without copying them; they must not change until the owner is told. */
  send(status: number, headers: readonly string[], parts: readonly Uint8Array[]): void;
  /**
   * Begins an answer in pieces: any number of `write` and one `end` follow, now or later. It has no Content-Length: it is chunked, or
   * ends with the connection where the client speaks HTTP/1.0. The head may leave with the first piece. One that is not ended when
   * the client half-closes its connection is aborted. Whatever the owner throws in the middle of it cuts the connection.
   */
  begin(status: number, headers: readonly string[]): void;
  /** `bytes` may be reused when it returns. False = enough waits for the client: the next one only after `owner.onWritable`. */
  write(bytes: Uint8Array): boolean;
  /** Nothing more comes; may be called whether something waits or not. */
  end(): void;
}
