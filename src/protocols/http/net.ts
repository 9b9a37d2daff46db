import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Log } from '../../base/log.js';
import { ServerError } from '../../types/errors.js';
import { refusalAnswer } from './answer-head.js';
import type { HttpEngine, HttpHandler, HttpLimits, HttpListener, ListenOptions } from './engine.js';
import { NetConnection } from './net-connection.js';
import { NetExchange, type NetHost } from './net-exchange.js';
import { bodyTooLarge, bodyTooSlow, type Refusal, RequestHead, tooManyConnections } from './request-head.js';

/** Connections that are being told 429, beside the ones being served; beyond them the kernel's backlog is all there is. */
const REFUSED_CONNECTIONS_MAX = 256;

const CHECKS_PER_TIMEOUT = 4;

/** Node's interval for late requests where none can be late; 0 would mean 1 ms. */
const NOTHING_TO_CHECK_MS = 60_000;

/** HTTP/1.1 and 1.0 on node:http. It knows some 35 methods; a request with another one is answered 400 by its parser. */
export class NetEngine implements HttpEngine {
  readonly name = 'net';

  async listen(options: ListenOptions, handler: HttpHandler): Promise<HttpListener> {
    const listener = new NetListener(options, handler);
    await listener.open();
    return listener;
  }
}

class NetListener implements HttpListener, NetHost {
  port = 0;
  readonly head: RequestHead;
  readonly limits: HttpLimits;
  readonly log: Log;
  draining = false;

  readonly #options: ListenOptions;
  readonly #handler: HttpHandler;
  readonly #server: Server;
  readonly #connections = new Map<Socket, NetConnection>();
  /** Connections but the ones that are being told 429. */
  #served = 0;
  #open = 0;
  #whenIdle: (() => void)[] = [];

  constructor(options: ListenOptions, handler: HttpHandler) {
    this.#options = options;
    this.#handler = handler;
    this.limits = options.limits;
    this.log = options.log;
    this.head = new RequestHead(options.limits);
    this.#server = createServer(serverOptions(options.limits));
    // One more than may come, so that too many are seen.
    this.#server.maxHeadersCount = options.limits.maxHeaderCount + 1;
    this.#server.maxConnections = options.limits.maxConnections + REFUSED_CONNECTIONS_MAX;
    this.#server.on('connection', (socket: Socket) => this.#connect(socket));
    this.#server.on('request', (request, response) => this.#accept(request, response, ''));
    this.#server.on('checkContinue', (request, response) => this.#accept(request, response, '100-continue'));
    // A list of no expectations, as some clients send it, expects nothing.
    this.#server.on('checkExpectation', (request, response) =>
      this.#accept(request, response, request.headers.expect === '' ? 'none' : 'unknown'),
    );
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#clientError(error, socket as Socket),
    );
  }

  get connections(): number {
    return this.#connections.size;
  }

  open(): Promise<void> {
    const { address, port, reusePort } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(address, port, error)));
      // `reusePort` came with Node 22.12 (older ones do not look at it), and is not in the types of 20.
      const where = { host: address, port, reusePort };
      this.#server.listen(where, () => {
        this.port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  drain(): void {
    if (this.draining) return;
    this.draining = true;
    // Not node:http's: that also cuts connections whose answer is handed over and not yet sent.
    NetServer.prototype.close.call(this.#server);
    for (const [socket, connection] of this.#connections) if (connection.isIdle) socket.destroy();
  }

  idle(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  async close(): Promise<void> {
    this.drain();
    this.#server.close();
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#server.closeAllConnections();
    // Sockets say 'close' in a turn of their own; then every owner has been told.
    while (this.#connections.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  onEnded(exchange: NetExchange): void {
    this.#connectionOf(exchange)?.remove(exchange);
    if (--this.#open > 0) return;
    const resolvers = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  #connectionOf(exchange: NetExchange): NetConnection | undefined {
    return this.#connections.get(exchange.socket);
  }

  #connect(socket: Socket): void {
    const { maxConnections } = this.limits;
    const served = this.#served < maxConnections;
    const connection = new NetConnection(socket);
    this.#connections.set(socket, connection);
    if (served) this.#served++;
    else connection.hangUp(refusalAnswer(tooManyConnections(maxConnections)));
    socket.once('close', () => {
      if (served) this.#served--;
      this.#connections.delete(socket);
      connection.abortAll();
    });
  }

  #accept(request: IncomingMessage, response: ServerResponse, expectation: string): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.isClosing) return;
    this.#readHead(request);
    const exchange = new NetExchange(this, request, response, expectation === '100-continue');
    connection.add(exchange);
    this.#open++;
    const refusal = expectation === 'unknown' ? unknownExpectation : this.head.refusal(request.httpVersion !== '1.0');
    if (refusal === null) {
      exchange.run(this.#handler);
      return;
    }
    connection.isClosing = true;
    exchange.refuse(refusal);
  }

  #readHead(request: IncomingMessage): void {
    const lines = request.rawHeaders;
    this.head.clear();
    for (let index = 0; index < lines.length; index += 2) this.head.add(lines[index]!.toLowerCase(), lines[index + 1]!);
  }

  #clientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    const refusal = this.#refusalFor(error);
    if (connection === undefined || refusal === null || !socket.writable) socket.destroy();
    else connection.fail(refusal);
  }

  /** Null = nobody is there to be answered. */
  #refusalFor(error: NodeJS.ErrnoException & { reason?: string }): Refusal | null {
    switch (error.code) {
      case 'HPE_INVALID_EOF_STATE':
      case 'ECONNRESET':
      case 'EPIPE':
        return null;
      case 'HPE_HEADER_OVERFLOW': {
        const message = `the headers have more than ${this.limits.maxHeaderBytes} bytes`;
        return { status: 431, message, endUnknown: true };
      }
      case 'ERR_HTTP_REQUEST_TIMEOUT':
        return bodyTooSlow(this.limits.bodyTimeoutMs);
      case 'HPE_INVALID_CONTENT_LENGTH':
        if (error.reason === 'Content-Length overflow') return bodyTooLarge(this.limits.maxBodyBytes);
        return malformed(error);
      default:
        return malformed(error);
    }
  }
}

function malformed(error: Error): Refusal {
  return { status: 400, message: `malformed HTTP request: ${error.message}`, endUnknown: true };
}

const unknownExpectation: Refusal = {
  status: 417,
  message: "the only expectation supported is 'Expect: 100-continue'",
  endUnknown: false,
};

/** The rules on Host are ours (JSON, not an empty 400). */
function serverOptions(limits: HttpLimits): ServerOptions {
  const { maxHeaderBytes, idleTimeoutMs, bodyTimeoutMs } = limits;
  return {
    insecureHTTPParser: false,
    requireHostHeader: false,
    maxHeaderSize: maxHeaderBytes,
    keepAliveTimeout: idleTimeoutMs,
    headersTimeout: bodyTimeoutMs,
    requestTimeout: bodyTimeoutMs,
    connectionsCheckingInterval:
      bodyTimeoutMs === 0 ? NOTHING_TO_CHECK_MS : Math.ceil(bodyTimeoutMs / CHECKS_PER_TIMEOUT),
  };
}

function cannotListen(address: string, port: number, error: NodeJS.ErrnoException): ServerError {
  const where = `${address}:${port}`;
  const reason = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
  return new ServerError('UNAVAILABLE', `cannot listen on ${where}: ${reason}`);
}
