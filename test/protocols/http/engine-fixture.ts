import type { Log } from '../../../src/base/log.js';
import type {
  BodySink,
  ExchangeOwner,
  HttpEngine,
  HttpExchange,
  HttpHandler,
  HttpLimits,
  HttpListener,
} from '../../../src/protocols/http/engine.js';
import type { SocketHandler } from '../../../src/protocols/web-socket.js';
import { RawClient } from './raw-client.js';

export const plain: readonly string[] = ['Content-Type', 'application/octet-stream'];

export const usualLimits: HttpLimits = {
  maxBodyBytes: 32 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxHeaderCount: 40,
  maxConnections: 1000,
  idleTimeoutMs: 60_000,
  bodyTimeoutMs: 30_000,
};

/** Collects a body and answers with it. */
export class EchoSink implements BodySink {
  readonly #chunks: Uint8Array[] = [];
  lasts = 0;

  onChunk(exchange: HttpExchange, chunk: Uint8Array, last: boolean): void {
    this.#chunks.push(chunk.slice());
    if (!last) return;
    this.lasts++;
    exchange.reply(200, plain, Buffer.concat(this.#chunks));
  }
}

/** Counts how its exchange ended, and lets a test wait for it. */
export class CountingOwner implements ExchangeOwner {
  sent = 0;
  aborted = 0;
  readonly ended: Promise<void>;
  #resolve!: () => void;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onSent(): void {
    this.sent++;
    this.#resolve();
  }

  onAborted(): void {
    this.aborted++;
    this.#resolve();
  }
}

export class MemoryLog implements Log {
  readonly errors: string[] = [];
  info(): void {}
  warning(): void {}
  verbose(): void {}
  error(message: string): void {
    this.errors.push(message);
  }
}

/** A listener of the engine under test, its log and its clients; `stop` ends all of it. */
export class EngineFixture {
  readonly listener: HttpListener;
  readonly log: MemoryLog;
  readonly #clients: RawClient[] = [];

  private constructor(listener: HttpListener, log: MemoryLog) {
    this.listener = listener;
    this.log = log;
  }

  static async start(
    engine: HttpEngine,
    handler: HttpHandler,
    limits: Partial<HttpLimits> = {},
    sockets: SocketHandler | null = null,
  ): Promise<EngineFixture> {
    const log = new MemoryLog();
    const options = { address: '127.0.0.1', port: 0, reusePort: false, limits: { ...usualLimits, ...limits }, log };
    return new EngineFixture(await engine.listen(options, handler, sockets), log);
  }

  async connect(): Promise<RawClient> {
    const client = await RawClient.open(this.listener.port);
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.listener.close();
    // Never ends where an exchange has leaked.
    await this.listener.idle();
  }
}

/** Something that comes later, seen from a handler. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}
