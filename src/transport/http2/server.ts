import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { monotonicUs } from '../../base/clock.js';
import { ServerError } from '../../types/errors.js';
import { WorkQueue } from '../work-queue.js';
import { BufferPool } from './buffer-pool.js';
import { checkLimits } from './limits.js';
import type { ListenOptions } from './options.js';
import { SocketConnection, type SocketHost } from './socket-connection.js';
import type { OnStream } from './stream.js';

/** Time-outs are looked at so often; shorter ones make it oftener. */
const TICK_MS_MAX = 1000;
const TICK_MS_MIN = 5;
const TICKS_PER_TIMEOUT = 4;

/** What is read from a socket at once, as in Node. */
const READ_BYTES = 64 * 1024;

export interface Http2Listener {
  readonly port: number;
  readonly connections: number;
  /** Takes no more connections and no more requests; resolves when those open are answered and every connection is closed. */
  drain(): Promise<void>;
  /** Cuts what is open; every stream is told. Resolves when all sockets are closed. */
  close(): Promise<void>;
}

/** Serves HTTP/2 on a port. Throws a ServerError where it cannot be had. No state is shared between listeners. */
export async function listenHttp2(options: ListenOptions, onStream: OnStream): Promise<Http2Listener> {
  checkLimits(options.limits);
  const listener = new Listener(options, onStream);
  await listener.open();
  return listener;
}

class Listener implements Http2Listener, SocketHost {
  port = 0;
  nowMs = readMs();
  readonly options: ListenOptions;
  readonly onStream: OnStream;
  readonly pool = new BufferPool();
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

  readonly #server: Server;
  readonly #connections = new Set<SocketConnection>();
  /** Also those whose TLS handshake is not done. */
  readonly #sockets = new Set<Socket>();
  readonly #work = new WorkQueue();
  #ticker: NodeJS.Timeout | null = null;
  #isDraining = false;
  #whenEmpty: (() => void)[] = [];

  constructor(options: ListenOptions, onStream: OnStream) {
    this.options = options;
    this.onStream = onStream;
    this.#server = createSocketServer(options, (socket) => this.#accept(socket));
    // Counted by Node where they are in the handshake, and by us where they are not Node's any more (`receive`).
    if (options.tls !== null) this.#server.maxConnections = options.maxConnections;
    this.#server.on('connection', (socket: Socket) => {
      if (options.tls !== null) this.#track(socket);
    });
    const { log } = options;
    this.#server.on('drop', () => this.#logRefusal());
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      log.verbose(1, `TLS handshake failed: ${error.message}`);
      // Node does not do it after a time-out.
      socket.destroy();
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  open(): Promise<void> {
    const { address, port, reusePort } = this.options;
    return new Promise((resolve, reject) => {
      // Later ones are of single connections that could not be accepted.
      this.#server.on('error', (error: NodeJS.ErrnoException) => reject(cannotListen(address, port, error)));
      // `reusePort` is not in the types of Node 20, which does not look at it.
      const where = { host: address, port, reusePort };
      this.#server.listen(where, () => {
        this.port = (this.#server.address() as AddressInfo).port;
        this.#startTicking();
        resolve();
      });
    });
  }

  workSoon(connection: SocketConnection): void {
    this.#work.add(connection);
  }

  drain(): Promise<void> {
    this.#stopAccepting();
    for (const connection of this.#connections) connection.drain();
    return this.#emptied();
  }

  close(): Promise<void> {
    this.#stopAccepting();
    for (const socket of this.#sockets) socket.destroy();
    return this.#emptied();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.options.maxConnections) {
      socket.destroy();
      this.#logRefusal();
      return;
    }
    const connection = new SocketConnection(socket, this);
    this.#connections.add(connection);
    this.#track(connection.socket);
    connection.socket.once('close', () => this.#remove(connection));
    if (this.#isDraining) connection.drain();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #logRefusal(): void {
    const { log, maxConnections } = this.options;
    log.verbose(1, `HTTP/2 connection refused: there are ${maxConnections} already`);
  }

  #remove(connection: SocketConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0 || !this.#isDraining) return;
    for (const resolve of this.#whenEmpty) resolve();
    this.#whenEmpty = [];
  }

  #stopAccepting(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#server.close();
  }

  async #emptied(): Promise<void> {
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
    if (this.#ticker !== null) clearInterval(this.#ticker);
  }

  #startTicking(): void {
    const limits = Object.values(this.options.timeouts).filter((limitMs) => limitMs > 0);
    const wanted = Math.min(TICK_MS_MAX, ...limits.map((limitMs) => limitMs / TICKS_PER_TIMEOUT));
    this.#ticker = setInterval(() => this.#tick(), Math.max(TICK_MS_MIN, wanted));
    this.#ticker.unref();
  }

  #tick(): void {
    const beforeMs = this.nowMs;
    this.nowMs = readMs();
    for (const connection of this.#connections) connection.tick((this.nowMs - beforeMs) / 1000);
  }
}

function readMs(): number {
  return monotonicUs() / 1000;
}

function createSocketServer(options: ListenOptions, accept: (socket: Socket) => void): Server {
  if (options.tls === null) return createServer({ noDelay: true, pauseOnConnect: true }, accept);
  const handshakeTimeout = options.timeouts.handshakeMs > 0 ? { handshakeTimeout: options.timeouts.handshakeMs } : {};
  // RFC 9113, 9.2: TLS 1.2 or later.
  const tls = {
    minVersion: 'TLSv1.2' as const,
    ...options.tls,
    ...handshakeTimeout,
    noDelay: true,
    ALPNProtocols: ['h2'],
  };
  return createTlsServer(tls, (socket: TLSSocket) => {
    // RFC 9113, 3.2: over TLS, HTTP/2 is agreed on by ALPN and by nothing else.
    if (socket.alpnProtocol === 'h2') accept(socket);
    else socket.destroy();
  });
}

function cannotListen(address: string, port: number, error: NodeJS.ErrnoException): ServerError {
  const reason = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
  return new ServerError('UNAVAILABLE', `cannot listen on ${address}:${port}: ${reason}`);
}
