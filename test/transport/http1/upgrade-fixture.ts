import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import { type MakeServer, NetEngine } from '../../../src/protocols/http/net.js';
import type { Head } from '../../../src/transport/http1/head.js';
import type { UpgradeRequest, UpgradeTaker } from '../../../src/transport/http1/upgrade.js';
import { EngineFixture } from '../../protocols/http/engine-fixture.js';

export interface Wire {
  readonly name: string;
  readonly isTls: boolean;
}

export const wires: readonly Wire[] = [
  { name: 'plain', isTls: false },
  { name: 'TLS', isTls: true },
];

export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A head that asks for `/ws` as RFC 6455, 4.1, has it. */
export const upgradeHead = [
  'GET /ws?a=b HTTP/1.1',
  'Host: a',
  'Connection: keep-alive, Upgrade',
  'Upgrade: WebSocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

/** A text frame of a client, masked with zeros. */
export function clientFrame(text: string): string {
  return `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`;
}

export function serverFrame(text: string): string {
  return `\x81${String.fromCharCode(text.length)}${text}`;
}

/** Notes what it is asked; whose connections it takes is for those that extend it. */
abstract class NotingTaker implements UpgradeTaker {
  readonly asked: string[] = [];
  readonly requests: UpgradeRequest[] = [];
  readonly sockets: Socket[] = [];
  readonly drained: Socket[] = [];

  wants(head: Head, protocol: string): boolean {
    this.asked.push(`${head.path} ${protocol}`);
    return head.path === '/ws' && protocol === 'websocket';
  }

  take(request: UpgradeRequest, socket: Socket, rest: Buffer): void {
    this.requests.push(request);
    this.sockets.push(socket);
    this.onTaken(request, socket, rest);
  }

  onDrain(socket: Socket): void {
    this.drained.push(socket);
  }

  abstract onTaken(request: UpgradeRequest, socket: Socket, rest: Buffer): void;
}

/** The package ws. Answers each message with itself. */
export class EchoTaker extends NotingTaker {
  readonly server = new WebSocketServer({ noServer: true });
  readonly clients: WebSocket[] = [];

  onTaken(request: UpgradeRequest, socket: Socket, rest: Buffer): void {
    this.server.handleUpgrade(request as unknown as IncomingMessage, socket, rest, (client) => {
      this.clients.push(client);
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  }
}

/** Leaves everything to the test. */
export class IdleTaker extends NotingTaker {
  readonly rests: Buffer[] = [];

  onTaken(_request: UpgradeRequest, _socket: Socket, rest: Buffer): void {
    this.rests.push(rest);
  }
}

/** A client that says exactly the bytes it is told to, a latin-1 character for each. */
export class BytesClient {
  readonly socket: Socket;
  received = '';
  error = '';
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', (error) => {
      this.error = error.message;
    });
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Resolves when the kernel has the bytes. */
  write(bytes: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, 'latin1', (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Waits until what was received ends with `text`. */
  async until(text: string): Promise<void> {
    while (!this.received.endsWith(text)) {
      if (this.isClosed) throw new Error(`closed before ${JSON.stringify(text)}: ${JSON.stringify(this.received)}`);
      await turn();
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await turn();
  }
}

const fixtures = new URL('../../protocols/http/fixtures/', import.meta.url);

const makeTlsServer: MakeServer = (onConnection) => {
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(new URL(file, fixtures)));
  return createTlsServer({ key: key!, cert: cert!, allowHalfOpen: true, noDelay: true }, onConnection);
};

/** The net engine with a taker. */
export class UpgradeFixture {
  readonly engine: EngineFixture;
  readonly #wire: Wire;
  readonly #clients: BytesClient[] = [];

  private constructor(engine: EngineFixture, wire: Wire) {
    this.engine = engine;
    this.#wire = wire;
  }

  static async start(
    wire: Wire,
    taker: UpgradeTaker,
    handler: HttpHandler,
    limits: Partial<HttpLimits> = {},
  ): Promise<UpgradeFixture> {
    const engine = new NetEngine(wire.isTls ? makeTlsServer : undefined, taker);
    return new UpgradeFixture(await EngineFixture.start(engine, handler, limits), wire);
  }

  get url(): string {
    return `${this.#wire.isTls ? 'wss' : 'ws'}://127.0.0.1:${this.engine.listener.port}/ws`;
  }

  async connect(): Promise<BytesClient> {
    const where = { port: this.engine.listener.port, host: '127.0.0.1', noDelay: true };
    const socket = this.#wire.isTls ? tlsConnect({ ...where, rejectUnauthorized: false }) : connect(where);
    const client = new BytesClient(socket);
    this.#clients.push(client);
    await once(socket, this.#wire.isTls ? 'secureConnect' : 'connect');
    socket.setNoDelay();
    return client;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    await this.engine.stop();
  }
}
