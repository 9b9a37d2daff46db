import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import type { HttpEngine, HttpHandler, HttpLimits } from '../../../src/protocols/http/engine.js';
import type {
  MessageSocket,
  PartsHolder,
  SocketDecision,
  SocketHandler,
  SocketLimits,
  SocketOwner,
  SocketRequest,
} from '../../../src/protocols/web-socket.js';
import { EngineFixture, plain } from '../http/engine-fixture.js';

const noBytes = new Uint8Array(0);

/** What a raw client says behind its request, in the same segment, and after it was answered. */
interface RawBytes {
  readonly behind?: Uint8Array;
  readonly after?: Uint8Array;
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Waits turn by turn: what it waits for comes from sockets. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

export interface Message {
  readonly bytes: Buffer;
  readonly isText: boolean;
}

/** Notes what happens on one connection; what it does then is for a test to say. */
export class Recorder implements SocketOwner {
  readonly socket: MessageSocket;
  readonly messages: Message[] = [];
  pings = 0;
  drains = 0;
  closes = 0;
  onEach: (message: Message) => void = () => {};
  onRoom: () => void = () => {};

  constructor(socket: MessageSocket) {
    this.socket = socket;
  }

  onMessage(message: Buffer, isText: boolean): void {
    const copy = { bytes: Buffer.from(message), isText };
    this.messages.push(copy);
    this.onEach(copy);
  }

  onPing(): void {
    this.pings++;
  }

  onDrain(): void {
    this.drains++;
    this.onRoom();
  }

  onClosed(): void {
    this.closes++;
  }

  texts(): string[] {
    return this.messages.map(({ bytes }) => bytes.toString());
  }
}

/** Answers each message with itself. */
export function echo(recorder: Recorder): void {
  recorder.onEach = ({ bytes, isText }) => {
    if (isText) recorder.socket.sendText(bytes);
    else recorder.socket.sendBinary(bytes.readUInt32LE(0), bytes.subarray(4));
  };
}

export class CountingHolder implements PartsHolder {
  released = 0;

  onPartsReleased(): void {
    this.released++;
  }
}

/** Takes `/ws`, refuses `/closed`, passes everything else on. */
export class TestHandler implements SocketHandler {
  readonly limits: SocketLimits;
  readonly requests: { path: string; query: string; cookie: string }[] = [];
  readonly recorders: Recorder[] = [];
  prepare: (recorder: Recorder) => void = () => {};

  constructor(limits: Partial<SocketLimits>) {
    this.limits = { maxMessageBytes: 16 * 1024 * 1024, maxUnsentBytes: 64 * 1024, ...limits };
  }

  decide(request: SocketRequest): SocketDecision {
    const { path, query } = request;
    this.requests.push({ path, query, cookie: request.header('cookie') });
    if (path === '/closed') return { kind: 'refuse', status: 403, headers: plain, body: Buffer.from('no') };
    if (path !== '/ws') return { kind: 'pass' };
    const protocol = request.header('sec-websocket-protocol').split(',')[0]!;
    return { kind: 'accept', protocol, open: (socket) => this.#open(socket) };
  }

  #open(socket: MessageSocket): Recorder {
    const recorder = new Recorder(socket);
    this.recorders.push(recorder);
    this.prepare(recorder);
    return recorder;
  }
}

export const upgradeHead = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;

/** One frame of a client (RFC 6455, 5.2), masked. */
export function clientFrame(opcode: number, payload: Uint8Array, isFinal = true): Buffer {
  const { length } = payload;
  const mask = Buffer.from([0x5a, 0xc3, 0x0f, 0x81]);
  const head = length < 126 ? Buffer.alloc(2, length) : length < 65_536 ? Buffer.alloc(4, 126) : Buffer.alloc(10, 127);
  head[0] = opcode | (isFinal ? 0x80 : 0);
  head[1] = head[1]! | 0x80;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

/** A client of the package ws that keeps what comes. */
export class TestClient {
  readonly webSocket: WebSocket;
  readonly messages: Message[] = [];
  /** Code and reason; null = it is open. */
  closed: { code: number; reason: string } | null = null;
  pings = 0;
  pongs = 0;

  constructor(url: string, protocols: readonly string[], options: ClientOptions = {}) {
    this.webSocket = new WebSocket(url, [...protocols], options);
    this.webSocket.on('message', (bytes: Buffer, isBinary) => this.messages.push({ bytes, isText: !isBinary }));
    this.webSocket.on('ping', () => this.pings++);
    this.webSocket.on('pong', () => this.pongs++);
    this.webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.webSocket.on('error', () => {});
  }

  send(message: string | Uint8Array): void {
    this.webSocket.send(message);
  }

  texts(): string[] {
    return this.messages.map(({ bytes }) => bytes.toString());
  }

  /** Resolves when so many messages have come. */
  async received(count: number): Promise<readonly Message[]> {
    await until(() => this.messages.length >= count || this.closed !== null);
    if (this.messages.length < count) throw new Error(`closed after ${this.messages.length} of ${count} messages`);
    return this.messages;
  }

  async ended(): Promise<{ code: number; reason: string }> {
    await until(() => this.closed !== null);
    return this.closed!;
  }
}

const byPath: HttpHandler = (exchange) => exchange.reply(200, plain, Buffer.from(`<${exchange.path}>`));

/** A listener of the engine under test with WebSockets, and its clients. */
export class SocketFixture {
  readonly handler: TestHandler;
  readonly engine: EngineFixture;
  readonly #clients: TestClient[] = [];
  readonly #sockets: Socket[] = [];

  private constructor(engine: EngineFixture, handler: TestHandler) {
    this.engine = engine;
    this.handler = handler;
  }

  static async start(
    makeEngine: () => HttpEngine,
    limits: Partial<SocketLimits> = {},
    httpLimits: Partial<HttpLimits> = {},
  ): Promise<SocketFixture> {
    const handler = new TestHandler(limits);
    return new SocketFixture(await EngineFixture.start(makeEngine(), byPath, httpLimits, handler), handler);
  }

  get port(): number {
    return this.engine.listener.port;
  }

  client(path = '/ws', protocols: readonly string[] = [], options: ClientOptions = {}): TestClient {
    const client = new TestClient(`ws://127.0.0.1:${this.port}${path}`, protocols, options);
    this.#clients.push(client);
    return client;
  }

  /** A client and the other end of its connection. */
  async pair(path = '/ws'): Promise<{ client: TestClient; recorder: Recorder }> {
    const count = this.handler.recorders.length;
    const client = this.client(path);
    await once(client.webSocket, 'open');
    await until(() => this.handler.recorders.length > count);
    return { client, recorder: this.handler.recorders[count]! };
  }

  /** A client that says bytes, and has a WebSocket when this resolves. */
  async raw({ behind = noBytes, after = noBytes }: RawBytes = {}): Promise<{ socket: Socket; recorder: Recorder }> {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    this.#sockets.push(socket);
    socket.on('error', () => {});
    const count = this.handler.recorders.length;
    socket.write(Buffer.concat([Buffer.from(upgradeHead('/ws')), behind]));
    await once(socket, 'data');
    socket.resume();
    await until(() => this.handler.recorders.length > count);
    if (after.length > 0) socket.write(after);
    return { socket, recorder: this.handler.recorders[count]! };
  }

  async stop(): Promise<void> {
    for (const { webSocket } of this.#clients) webSocket.terminate();
    for (const socket of this.#sockets) socket.destroy();
    await this.engine.stop();
  }
}
