import { type ChannelCredentials, type ChannelOptions, Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { BodyBudget } from '../../../src/protocols/body-buffer.js';
import type {
  GrpcCall,
  GrpcCallOwner,
  GrpcEngine,
  GrpcHandler,
  GrpcKeepalive,
  GrpcListener,
  GrpcListenOptions,
} from '../../../src/protocols/grpc/engine.js';
import { MemoryLog } from '../http/engine-fixture.js';

export const UNARY = '/test.Service/Unary';
export const STREAM = '/test.Service/Stream';

export const usualKeepalive: GrpcKeepalive = {
  timeMs: 7_200_000,
  timeoutMs: 20_000,
  withoutCalls: false,
  minRecvPingIntervalMs: 300_000,
  maxPingStrikes: 2,
  maxConnectionAgeMs: 0,
  maxConnectionAgeGraceMs: 0,
};

/** Puts messages in pieces together, and keeps what it hears. Tests override what they look at. */
export class TestOwner implements GrpcCallOwner {
  readonly messages: Buffer[] = [];
  readonly events: string[] = [];
  #pieces: Buffer[] = [];
  #length = 0;

  onMessage(call: GrpcCall, message: Buffer): void {
    this.messages.push(Buffer.from(message));
    this.events.push('message');
    this.message(call, this.messages.at(-1)!);
  }

  onMessageBegin(_call: GrpcCall, length: number): void {
    this.#pieces = [];
    this.#length = length;
  }

  onPiece(_call: GrpcCall, piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
  }

  onMessageEnd(call: GrpcCall): void {
    const message = Buffer.concat(this.#pieces);
    if (message.length !== this.#length) throw new Error(`${message.length} bytes of ${this.#length} came`);
    this.onMessage(call, message);
  }

  onHalfClose(call: GrpcCall): void {
    this.events.push('half-close');
    this.halfClose(call);
  }

  onCancel(call: GrpcCall): void {
    this.events.push('cancel');
    this.cancel(call);
  }

  onDrain(call: GrpcCall): void {
    this.events.push('drain');
    this.drained(call);
  }

  message(_call: GrpcCall, _message: Buffer): void {}
  halfClose(_call: GrpcCall): void {}
  cancel(_call: GrpcCall): void {}
  drained(_call: GrpcCall): void {}
}

/** How a call ended for a client. */
export interface Outcome {
  readonly messages: Buffer[];
  readonly code: number;
  readonly details: string;
}

export interface ClientStream {
  send(message: Uint8Array): void;
  halfClose(): void;
  cancel(): void;
  /** Not another message is read until `resume`. */
  pause(): void;
  resume(): void;
  readonly messages: Buffer[];
  readonly outcome: Promise<Outcome>;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const keepBytes = (bytes: Buffer) => bytes;

/** A client of grpc-js that sends and gets bytes. */
export class BytesClient {
  readonly #client: Client;

  constructor(port: number, options: ChannelOptions = {}, secure: ChannelCredentials = credentials.createInsecure()) {
    const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
    this.#client = new Client(`127.0.0.1:${port}`, secure, { ...unlimited, 'grpc.enable_retries': 0, ...options });
  }

  unary(path: string, message: Uint8Array, options: CallOptions = {}): Promise<Outcome> {
    const stream = this.open(path, options);
    stream.send(message);
    stream.halfClose();
    return stream.outcome;
  }

  open(path: string, { metadata = {}, timeoutMs }: CallOptions = {}): ClientStream {
    const deadline = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    const call = this.#client.makeBidiStreamRequest(path, keepBytes, keepBytes, metadataOf(metadata), deadline);
    const messages: Buffer[] = [];
    call.on('data', (message: Buffer) => messages.push(message));
    call.on('error', () => {});
    const outcome = new Promise<Outcome>((resolve) => {
      call.on('status', ({ code, details }) => resolve({ messages, code, details }));
    });
    return {
      send: (message) => void call.write(Buffer.from(message)),
      halfClose: () => call.end(),
      cancel: () => call.cancel(),
      pause: () => void call.pause(),
      resume: () => void call.resume(),
      messages,
      outcome,
    };
  }

  close(): void {
    this.#client.close();
  }
}

function metadataOf(entries: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) {
    metadata.add(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

/** A listener of the engine under test, and its clients; `stop` ends all of it. */
export class GrpcFixture {
  readonly listener: GrpcListener;
  readonly log: MemoryLog;
  readonly #clients: BytesClient[] = [];

  private constructor(listener: GrpcListener, log: MemoryLog) {
    this.listener = listener;
    this.log = log;
  }

  static async start(
    engine: GrpcEngine,
    onCall: GrpcHandler['onCall'],
    options: Partial<GrpcListenOptions> = {},
  ): Promise<GrpcFixture> {
    const log = new MemoryLog();
    const all: GrpcListenOptions = {
      address: '127.0.0.1',
      port: 0,
      reusePort: false,
      tls: null,
      maxMessageBytes: 2_147_483_647,
      compression: 'none',
      keepalive: usualKeepalive,
      budget: new BodyBudget(64 << 20),
      log,
      ...options,
    };
    return new GrpcFixture(await engine.listen(all, { methods: [UNARY, STREAM], onCall }), log);
  }

  client(options: ChannelOptions = {}, secure?: ChannelCredentials): BytesClient {
    const client = new BytesClient(this.listener.port, options, secure);
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.listener.close();
    // Never ends where a call has leaked.
    await this.listener.idle();
  }
}

export { status };
