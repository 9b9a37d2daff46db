import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t } from 'uWebSockets.js';
import type { Log } from '../../base/log.js';
import { HeadTexts } from '../../transport/http1/answer-head.js';
import { type Refusal, tooManyConnections } from '../../transport/http1/refusal.js';
import { ServerError } from '../../types/errors.js';
import type { SocketHandler } from '../web-socket.js';
import type { HttpEngine, HttpHandler, HttpLimits, HttpListener, ListenOptions } from './engine.js';
import { RequestHead } from './request-head.js';
import type { Uws } from './uws-binary.js';
import { UwsExchange, type UwsHost } from './uws-exchange.js';
import { UwsSockets } from './uws-sockets.js';

/** uWebSockets reads a Content-Length of at most nine digits; a longer one closes the connection as soon as its handler returns. */
const LARGEST_LENGTH = 999_999_999;

const CHECKS_PER_BODY_TIMEOUT = 4;

/** What the type declarations of 20.30 leave out. */
interface App extends TemplatedApp {
  listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): TemplatedApp;
  listen(...args: never[]): TemplatedApp;
  /** Closes the connections. */
  close(): void;
  /** Newer than 20.30: told of each connection that opens (1) or closes (-1). */
  filter?(onChange: (response: HttpResponse, change: number) => void): void;
}

/**
 * HTTP/1.1 on uWebSockets.js. What version 20.30 does by itself and no caller can change:
 * - It closes without an answer: a request pipelined behind one that is still worked on; a method it does not know; `Content-Length` with
 *   `Transfer-Encoding`; a head without Host; a chunk without a proper size.
 * - It leaves unanswered and closes after 8 to 12 s: HTTP/1.0, the absolute form, 50 headers or more, a blank before the colon, a request
 *   without any header.
 * - It closes a head of more than 4 KiB that comes in two segments.
 * - It closes a connection after 8 to 12 s without a byte between requests, without 160 KiB of a body, or without progress of an answer;
 *   `idleTimeoutMs` has no say, and `bodyTimeoutMs` only where it ends sooner or the body trickles on.
 * - It answers `Expect: 100-continue` with 100 before the handler is called.
 * - A header without a name ends the head for it: what follows that line is not seen.
 * - It does not tell of connections (newer versions do): exchanges are counted in their stead.
 */
export class UwsEngine implements HttpEngine {
  readonly name = 'uws';
  readonly #uws: Uws;

  constructor(uws: Uws) {
    this.#uws = uws;
  }

  async listen(
    options: ListenOptions,
    handler: HttpHandler,
    sockets: SocketHandler | null = null,
  ): Promise<HttpListener> {
    const listener = new UwsListener(this.#uws, options, handler);
    if (sockets !== null) listener.serveSockets(sockets);
    await listener.open();
    return listener;
  }
}

class UwsListener implements HttpListener, UwsHost {
  port = 0;
  readonly head: RequestHead;
  readonly heads = new HeadTexts();
  readonly limits: HttpLimits;
  readonly log: Log;
  draining = false;

  readonly #uws: Uws;
  readonly #options: ListenOptions;
  readonly #handler: HttpHandler;
  readonly #app: App;
  readonly #countsConnections: boolean;
  #connections = 0;
  #socket: us_listen_socket | null = null;
  /** Every exchange made, open or not; the free ones are in `#pool` too. */
  readonly #exchanges: UwsExchange[] = [];
  readonly #pool: UwsExchange[] = [];
  #open = 0;
  #whenIdle: (() => void)[] = [];
  #tick = 0;
  #checks: NodeJS.Timeout | null = null;

  constructor(uws: Uws, options: ListenOptions, handler: HttpHandler) {
    this.#uws = uws;
    this.#options = options;
    this.#handler = handler;
    this.limits = { ...options.limits, maxBodyBytes: Math.min(options.limits.maxBodyBytes, LARGEST_LENGTH) };
    this.log = options.log;
    this.head = new RequestHead(this.limits);
    this.#app = uws.App() as App;
    this.#countsConnections = this.#app.filter !== undefined;
    this.#app.filter?.(this.#countConnection);
  }

  get connections(): number {
    return this.#countsConnections ? this.#connections : this.#open;
  }

  /** Before `open`. */
  serveSockets(handler: SocketHandler): void {
    const sockets = new UwsSockets(handler);
    const upgrade = (response: HttpResponse, request: HttpRequest, context: us_socket_context_t) =>
      this.#upgrade(sockets, response, request, context);
    this.#app.ws('/*', sockets.behavior(upgrade));
  }

  async open(): Promise<void> {
    // The commonest methods have routes of their own: it saves asking for the name.
    this.#app.post('/*', (response, request) => this.#accept(response, request, 'POST'));
    this.#app.get('/*', (response, request) => this.#accept(response, request, 'GET'));
    this.#app.any('/*', (response, request) => this.#accept(response, request, request.getCaseSensitiveMethod()));
    this.#socket = await this.#listen();
    this.port = this.#uws.us_socket_local_port(this.#socket);
    if (this.limits.bodyTimeoutMs > 0) this.#startChecks(this.limits.bodyTimeoutMs / CHECKS_PER_BODY_TIMEOUT);
  }

  drain(): void {
    if (this.draining) return;
    this.draining = true;
    this.#stopListening();
  }

  idle(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  close(): Promise<void> {
    this.drain();
    if (this.#checks !== null) clearInterval(this.#checks);
    return new Promise((resolve) => {
      // Not now: the caller may be inside a callback of a connection.
      setImmediate(() => {
        this.#app.close();
        resolve();
      });
    });
  }

  onEnded(exchange: UwsExchange, reusable: boolean): void {
    if (reusable) this.#pool.push(exchange);
    else this.#exchanges.splice(this.#exchanges.indexOf(exchange), 1);
    if (--this.#open > 0) return;
    const resolvers = this.#whenIdle;
    if (resolvers.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  /** Of a request that has a key; without one it is a GET as any other. */
  #upgrade(sockets: UwsSockets, response: HttpResponse, request: HttpRequest, context: us_socket_context_t): void {
    this.head.clear();
    request.forEach(this.head.add);
    if (this.head.refusal() === null && this.head.contentLength === 0 && !this.draining) {
      const refuse = sockets.upgrade(response, request, context, this.head);
      if (refuse === null) return;
      this.#accept(response, request, 'GET', refuse);
    } else {
      this.#accept(response, request, 'GET');
    }
  }

  #accept(response: HttpResponse, request: HttpRequest, method: string, handler = this.#handler): void {
    this.head.clear();
    request.forEach(this.head.add);
    const over = this.#isOverConnections();
    const exchange = this.#pool.pop() ?? this.#makeExchange();
    this.#open++;
    exchange.take(response, request, method, this.#tick);
    const refusal = this.head.refusal();
    if (refusal !== null) this.#refuse(exchange, refusal);
    else if (over) exchange.refuse(tooManyConnections(this.limits.maxConnections), 'announce');
    else exchange.run(handler);
  }

  #refuse(exchange: UwsExchange, refusal: Refusal): void {
    if (refusal.endUnknown || this.head.contentLength > LARGEST_LENGTH) exchange.refuseAndCut(refusal);
    else exchange.refuse(refusal, 'announce');
  }

  #isOverConnections(): boolean {
    const { maxConnections } = this.limits;
    return this.#countsConnections ? this.#connections > maxConnections : this.#open >= maxConnections;
  }

  readonly #countConnection = (_response: HttpResponse, change: number): void => {
    this.#connections += change;
  };

  #makeExchange(): UwsExchange {
    const exchange = new UwsExchange(this);
    this.#exchanges.push(exchange);
    return exchange;
  }

  #listen(): Promise<us_listen_socket> {
    const { address, port, reusePort } = this.#options;
    // 0 lets several processes share the port (SO_REUSEPORT), and two servers would share one unnoticed.
    const options = reusePort ? 0 : 1;
    return new Promise((resolve, reject) => {
      this.#app.listen(address, port, options, (socket) => {
        if (socket === false) reject(cannotListen(address, port));
        else resolve(socket);
      });
    });
  }

  #stopListening(): void {
    if (this.#socket !== null) this.#uws.us_listen_socket_close(this.#socket);
    this.#socket = null;
  }

  #startChecks(intervalMs: number): void {
    this.#checks = setInterval(() => {
      const oldestTick = ++this.#tick - CHECKS_PER_BODY_TIMEOUT;
      for (const exchange of [...this.#exchanges]) exchange.checkBody(oldestTick);
    }, intervalMs);
    this.#checks.unref();
  }
}

function cannotListen(address: string, port: number): ServerError {
  const where = `${address}:${port}`;
  return new ServerError(
    'UNAVAILABLE',
    `cannot listen on ${where}: the port is taken, or the address is not of this machine`,
  );
}
