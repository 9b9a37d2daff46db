import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { monotonicUs } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { Http1Connection } from '../../transport/http1/connection.js';
import type { ConnectionHost } from '../../transport/http1/connection-host.js';
import { HeadWriter } from '../../transport/http1/head-writer.js';
import { type Refusal, tooManyConnections } from '../../transport/http1/refusal.js';
import { Slab } from '../../transport/http1/slab.js';
import type { UpgradeTaker } from '../../transport/http1/upgrade.js';
import { WorkQueue } from '../../transport/work-queue.js';
import { ServerError } from '../../types/errors.js';
import type { SocketHandler } from '../web-socket.js';
import type { HttpEngine, HttpHandler, HttpLimits, HttpListener, ListenOptions } from './engine.js';
import { NetExchange, type NetHost } from './net-exchange.js';
import { NetSockets } from './net-sockets.js';
import { refusalBody, refusalHeaders } from './refusal-answer.js';

/** Connections that are being told 429, beside the ones being served; beyond them nothing is said. */
const REFUSED_CONNECTIONS_MAX = 256;

const CHECKS_PER_TIMEOUT = 4;
/** `Date` has seconds, and connections linger for one. */
const LONGEST_CHECK_INTERVAL_MS = 500;
const SHORTEST_CHECK_INTERVAL_MS = 10;

/** A client whose machine has gone is found out by the kernel, also while it waits for an answer. */
const KEEP_ALIVE_DELAY_MS = 30_000;

/** Bytes read at a time; for all connections together. */
const READ_BYTES = 256 * 1024;

/** Calls back for each connection: `net.createServer`, or `tls.createServer` with its keys. Connections must be half-open ones, and paused. */
export type MakeServer = (onConnection: (socket: Socket) => void) => Server;

const makePlainServer: MakeServer = (onConnection) => {
  const options = {
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
  };
  return createServer(options, onConnection);
};

/** HTTP/1.1 and 1.0 on our own transport. */
export class NetEngine implements HttpEngine {
  readonly name = 'net';
  readonly #makeServer: MakeServer;
  readonly #upgradeTaker: UpgradeTaker | null;

  constructor(makeServer = makePlainServer, upgradeTaker: UpgradeTaker | null = null) {
    this.#makeServer = makeServer;
    this.#upgradeTaker = upgradeTaker;
  }

  async listen(
    options: ListenOptions,
    handler: HttpHandler,
    sockets: SocketHandler | null = null,
  ): Promise<HttpListener> {
    const listener = new NetListener(options, handler, this.#makeServer);
    if (sockets !== null) listener.serveSockets(sockets);
    else listener.upgradeTaker = this.#upgradeTaker;
    await listener.open();
    return listener;
  }
}

class NetListener implements HttpListener, ConnectionHost, NetHost {
  port = 0;
  nowMs = 0;
  isDraining = false;
  readonly limits: HttpLimits;
  readonly log: Log;
  handler: HttpHandler;
  upgradeTaker: UpgradeTaker | null = null;
  readonly slab = new Slab();
  readonly heads = new HeadWriter();
  readonly readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  readonly #options: ListenOptions;
  readonly #server: Server;
  readonly #work = new WorkQueue();
  readonly #connections = new Set<Http1Connection>();
  /** Connections that are being told 429. */
  readonly #refused = new Set<Http1Connection>();
  readonly #checkIntervalMs: number;
  #checks: NodeJS.Timeout | null = null;
  /** The last one since the last check: there may be many. '' = none. */
  #acceptError = '';
  #busy = 0;
  #whenIdle: (() => void)[] = [];

  constructor(options: ListenOptions, handler: HttpHandler, makeServer: MakeServer) {
    this.#options = options;
    this.handler = handler;
    this.limits = options.limits;
    this.log = options.log;
    this.#server = makeServer((socket) => this.#connect(socket));
    this.#checkIntervalMs = checkInterval(options.limits);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Before `open`. */
  serveSockets(handler: SocketHandler): void {
    const sockets = new NetSockets(handler, this.slab);
    const handle = this.handler;
    this.upgradeTaker = sockets;
    this.handler = (exchange) => {
      if (!sockets.refuse(exchange)) handle(exchange);
    };
  }

  async open(): Promise<void> {
    this.port = await this.#listen();
    this.#check();
    this.#checks = setInterval(() => this.#check(), this.#checkIntervalMs);
    this.#checks.unref();
  }

  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.#server.close();
    for (const connection of this.#connections) connection.drain();
  }

  idle(): Promise<void> {
    if (this.#busy === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  async close(): Promise<void> {
    this.drain();
    for (const connection of this.#connections) connection.destroy();
    // Sockets say 'close' in a turn of their own; then every owner has been told.
    while (this.#connections.size > 0) await new Promise((resolve) => setImmediate(resolve));
    if (this.#checks !== null) clearInterval(this.#checks);
  }

  accept(connection: Http1Connection): NetExchange {
    return new NetExchange(this, connection);
  }

  refusalAnswer(refusal: Refusal, hasBody: boolean): Buffer {
    const body = refusalBody(refusal);
    this.heads.prepare(refusal.status, refusalHeaders(refusal), body.length, 'close');
    const answer = Buffer.allocUnsafe(this.heads.bytes + (hasBody ? body.length : 0));
    this.heads.write(answer, 0);
    if (hasBody) answer.set(body, this.heads.bytes);
    return answer;
  }

  workSoon(connection: Http1Connection): void {
    this.#work.add(connection);
  }

  onBusy(): void {
    this.#busy++;
  }

  onQuiet(): void {
    if (--this.#busy > 0 || this.#whenIdle.length === 0) return;
    const resolvers = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  onClosed(connection: Http1Connection): void {
    this.#connections.delete(connection);
    this.#refused.delete(connection);
  }

  #connect(socket: Socket): void {
    const { maxConnections } = this.limits;
    if (this.#connections.size >= maxConnections + REFUSED_CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    const isOver = this.#connections.size - this.#refused.size >= maxConnections;
    const connection = new Http1Connection(socket, this);
    this.#connections.add(connection);
    if (!isOver) return;
    this.#refused.add(connection);
    connection.refuse(tooManyConnections(maxConnections));
  }

  #listen(): Promise<number> {
    const { address, port, reusePort } = this.#options;
    return new Promise((resolve, reject) => {
      // Later than that it says that a connection could not be accepted, for want of file descriptors: others are served on.
      this.#server.on('error', (error: NodeJS.ErrnoException) => {
        reject(cannotListen(address, port, error));
        this.#acceptError = error.message;
      });
      // `reusePort` came with Node 22.12 (older ones do not look at it), and is not in the types of 20.
      const where = { host: address, port, reusePort };
      this.#server.listen(where, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** Connections read `nowMs` until the next call: it is the time of that one, so that nothing ends before its time. */
  #check(): void {
    const nowMs = monotonicUs() / 1000;
    this.nowMs = nowMs + this.#checkIntervalMs;
    this.heads.date = new Date().toUTCString();
    if (this.#acceptError !== '') this.log.error(`HTTP: a connection was not accepted: ${this.#acceptError}`);
    this.#acceptError = '';
    for (const connection of this.#connections) connection.check(nowMs);
  }
}

function checkInterval({ idleTimeoutMs, bodyTimeoutMs }: HttpLimits): number {
  const timeouts = [idleTimeoutMs, bodyTimeoutMs].filter((timeoutMs) => timeoutMs > 0);
  const shortest = Math.min(...timeouts) / CHECKS_PER_TIMEOUT;
  return Math.max(SHORTEST_CHECK_INTERVAL_MS, Math.min(LONGEST_CHECK_INTERVAL_MS, shortest));
}

function cannotListen(address: string, port: number, error: NodeJS.ErrnoException): ServerError {
  const where = `${address}:${port}`;
  const reason = error.code === 'EADDRINUSE' ? 'the port is taken' : error.message;
  return new ServerError('UNAVAILABLE', `cannot listen on ${where}: ${reason}`);
}
