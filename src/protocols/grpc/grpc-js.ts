import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelOptions, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Log } from '../../base/log.js';
import { ServerError } from '../../types/errors.js';
import type { GrpcEngine, GrpcHandler, GrpcListener, GrpcListenOptions, GrpcTls } from './engine.js';
import { type BytesStream, type CallHost, GrpcJsCall } from './grpc-js-call.js';

/** So long the trailers of calls that have ended may take to leave before connections are cut. */
const LEAVING_MS = 1000;

const keepBytes = (bytes: Buffer) => bytes;

/**
 * gRPC on @grpc/grpc-js: complete on the wire but for the compression of answers, the limits on a client's pings and SO_REUSEPORT.
 * It has whole messages only, and copies each answer once.
 */
export class GrpcJsEngine implements GrpcEngine {
  readonly name = 'grpc-js';

  async listen(options: GrpcListenOptions, handler: GrpcHandler): Promise<GrpcListener> {
    const listener = new GrpcJsListener(options, handler);
    await listener.open(options);
    return listener;
  }
}

class GrpcJsListener implements GrpcListener, CallHost {
  port = 0;
  readonly #handler: GrpcHandler;
  readonly #log: Log;
  readonly #server: Server;
  readonly #calls = new Set<GrpcJsCall>();
  #where = '';
  /** Resolves when every connection has ended by itself; null = it does not drain. */
  #drained: Promise<void> | null = null;
  #whenIdle: (() => void)[] = [];

  constructor(options: GrpcListenOptions, handler: GrpcHandler) {
    this.#handler = handler;
    this.#log = options.log;
    this.#server = new Server(channelOptions(options));
    const accept = (stream: BytesStream) => this.#accept(stream);
    for (const path of handler.methods) this.#server.register(path, accept, keepBytes, keepBytes, 'bidi');
    for (const line of unsupported(options)) options.log.warning(line);
  }

  get connections(): number {
    return this.#calls.size;
  }

  open({ address, port, tls }: GrpcListenOptions): Promise<void> {
    const host = address.includes(':') ? `[${address}]` : address;
    const where = `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(where, credentials(tls), (error, bound) => {
        if (error !== null) {
          const reason = error.message.includes('EADDRINUSE') ? 'the port is taken' : error.message;
          reject(new ServerError('UNAVAILABLE', `cannot listen on ${where}: ${reason}`));
          return;
        }
        this.port = bound;
        this.#where = `${host}:${bound}`;
        resolve();
      });
    });
  }

  drain(): void {
    this.#drained ??= new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  idle(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  async close(): Promise<void> {
    if (this.#drained !== null && this.#calls.size === 0)
      await Promise.race([this.#drained, sleep(LEAVING_MS, null, { ref: false })]);
    // `forceShutdown` alone cuts no connection of a server without channelz (grpc-js 1.14).
    this.#server.drain(this.#where, 0);
    await this.idle();
    this.#server.forceShutdown();
  }

  onClosed(call: GrpcJsCall): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    const resolvers = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  onThrown({ path }: GrpcJsCall, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error(`${path}: the owner of the call threw ${text}`);
  }

  #accept(stream: BytesStream): void {
    const call = new GrpcJsCall(this, stream);
    this.#calls.add(call);
    this.#handler.onCall(call);
    call.begin();
  }
}

function channelOptions({ maxMessageBytes, keepalive }: GrpcListenOptions): ChannelOptions {
  const { maxConnectionAgeMs, maxConnectionAgeGraceMs } = keepalive;
  return {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
    'grpc.keepalive_time_ms': keepalive.timeMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    'grpc.keepalive_permit_without_calls': keepalive.withoutCalls ? 1 : 0,
    ...(maxConnectionAgeMs === 0 ? {} : { 'grpc.max_connection_age_ms': maxConnectionAgeMs }),
    ...(maxConnectionAgeGraceMs === 0 ? {} : { 'grpc.max_connection_age_grace_ms': maxConnectionAgeGraceMs }),
  };
}

function credentials(tls: GrpcTls | null): ServerCredentials {
  if (tls === null) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.root, [{ cert_chain: tls.cert, private_key: tls.key }], tls.mutual);
}

/** What was asked for and this engine cannot do. */
function unsupported({ reusePort, compression }: GrpcListenOptions): string[] {
  const lines: string[] = [];
  if (reusePort) lines.push('--reuse-grpc-port has no effect with the gRPC engine grpc-js');
  if (compression !== 'none') {
    lines.push(
      '--grpc-infer-response-compression-level has no effect with the gRPC engine grpc-js: answers go out plain',
    );
  }
  return lines;
}
