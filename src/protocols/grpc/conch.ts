import type { TlsOptions } from 'node:tls';
import { monotonicUs } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { type ConnectionLimits, defaultLimits } from '../../transport/http2/limits.js';
import { defaultOptions, defaultTimeouts, type ListenOptions } from '../../transport/http2/options.js';
import type { PingLimits } from '../../transport/http2/ping-policy.js';
import { type Http2Listener, listenHttp2 } from '../../transport/http2/server.js';
import type { Http2Stream, RequestFields, StreamHandler } from '../../transport/http2/stream.js';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_INTERNAL, GRPC_UNIMPLEMENTED } from '../status.js';
import { ConchCall, type ConchHost } from './conch-call.js';
import { Deadlines } from './deadlines.js';
import type {
  CompressionLevel,
  GrpcEngine,
  GrpcHandler,
  GrpcKeepalive,
  GrpcListener,
  GrpcListenOptions,
  GrpcTls,
} from './engine.js';
import { parseTimeoutUs } from './grpc-timeout.js';
import { httpRefusal, metadataTooLarge, quoted, trailersOnly } from './header-blocks.js';
import { type Algorithm, isAlgorithm } from './message-codec.js';

/** Tensors of megabytes come in larger frames and need not wait for windows so often; what has come is taken at once. */
export const engineLimits: ConnectionLimits = {
  ...defaultLimits,
  maxFrameBytes: 256 * 1024,
  streamWindowBytes: 4 << 20,
  connectionWindowBytes: 16 << 20,
  headerListTooLarge: metadataTooLarge(defaultLimits.maxHeaderListBytes),
};

/** A client may think about what it has got for long; one that never reads again must not hold tensors for ever. */
const STALL_MS = 600_000;

/** Between pings of a client that has no call and is not permitted to ask without one: that of TCP (RFC 1122, 4.2.3.6), as gRPC C-core. */
const PING_INTERVAL_WITHOUT_CALLS_MS = 7_200_000;

/** gRPC on our own HTTP/2: the fast engine. */
export class ConchEngine implements GrpcEngine {
  readonly name = 'conch';

  async listen(options: GrpcListenOptions, handler: GrpcHandler): Promise<GrpcListener> {
    const listener = new ConchListener(options, handler);
    await listener.open(options);
    return listener;
  }
}

class ConchListener implements GrpcListener, ConchHost {
  readonly maxMessageBytes: number;
  readonly compression: CompressionLevel;
  readonly budget: BodyBudget;
  readonly #handler: GrpcHandler;
  readonly #methods: ReadonlySet<string>;
  readonly #log: Log;
  readonly #deadlines = new Deadlines(monotonicUs);
  #http2: Http2Listener | null = null;
  #drained: Promise<void> | null = null;
  #open = 0;
  #whenIdle: (() => void)[] = [];

  constructor({ maxMessageBytes, compression, budget, log }: GrpcListenOptions, handler: GrpcHandler) {
    this.maxMessageBytes = maxMessageBytes;
    this.compression = compression;
    this.budget = budget;
    this.#log = log;
    this.#handler = handler;
    this.#methods = new Set(handler.methods);
  }

  get port(): number {
    return this.#http2?.port ?? 0;
  }

  get connections(): number {
    return this.#http2?.connections ?? 0;
  }

  async open(options: GrpcListenOptions): Promise<void> {
    this.#http2 = await listenHttp2(http2Options(options), (stream, fields) => this.#accept(stream, fields));
  }

  drain(): void {
    this.#drained ??= this.#http2?.drain() ?? null;
  }

  /** An answer may still be on its way to the kernel when its call is over: the connections are awaited too. */
  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    await this.#drained;
  }

  async close(): Promise<void> {
    await this.#http2?.close();
  }

  onClosed(call: ConchCall): void {
    if (call.deadlineUs > 0) this.#deadlines.remove(call);
    if (--this.#open > 0) return;
    const resolvers = this.#whenIdle;
    if (resolvers.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of resolvers) resolve();
  }

  onThrown({ path }: ConchCall, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error(`${path}: the owner of the call threw ${text}`);
  }

  #accept(stream: Http2Stream, fields: RequestFields): StreamHandler {
    const refusal = this.#refusal(fields);
    if (refusal !== null) return refuse(stream, refusal);
    const timeout = fields.get('grpc-timeout');
    const timeoutUs = timeout === undefined ? 0 : parseTimeoutUs(timeout);
    if (timeoutUs < 0)
      return refuse(stream, trailersOnly(GRPC_INTERNAL, `grpc-timeout is not a time: '${quoted(timeout!)}'`));
    const deadlineUs = timeout === undefined ? 0 : monotonicUs() + timeoutUs;
    const call = new ConchCall(this, stream, fields, deadlineUs, encodingOf(fields));
    this.#open++;
    if (deadlineUs > 0) this.#deadlines.add(call);
    this.#handOver(call);
    return call;
  }

  #handOver(call: ConchCall): void {
    try {
      this.#handler.onCall(call);
    } catch (error) {
      this.onThrown(call, error);
      call.end(GRPC_INTERNAL, 'the call failed inside the server; its log has the reason');
    }
    call.opened();
  }

  /** Null = it is a call of a method that there is. */
  #refusal(fields: RequestFields) {
    if (fields.method !== 'POST') return httpRefusal(405);
    if (!(fields.get('content-type') ?? '').startsWith('application/grpc')) return httpRefusal(415);
    if (!this.#methods.has(fields.path))
      return trailersOnly(GRPC_UNIMPLEMENTED, `there is no method ${quoted(fields.path)}`);
    const encoding = fields.get('grpc-encoding') ?? 'identity';
    if (isAlgorithm(encoding)) return null;
    return trailersOnly(
      GRPC_UNIMPLEMENTED,
      `grpc-encoding '${quoted(encoding)}' is not supported; gzip and deflate are`,
    );
  }
}

/** A request that no call is made of: its body is dropped. */
const dropped: StreamHandler = {
  onData: (stream, _bytes, start, end) => stream.consume(end - start),
  onEnd: () => {},
  onReset: () => {},
  onDrain: () => {},
};

function refuse(stream: Http2Stream, answer: ReturnType<typeof trailersOnly>): StreamHandler {
  stream.end(answer);
  return dropped;
}

function encodingOf(fields: RequestFields): Algorithm {
  return (fields.get('grpc-encoding') ?? 'identity') as Algorithm;
}

function http2Options({ address, port, reusePort, tls, keepalive, log }: GrpcListenOptions): ListenOptions {
  const timeouts = {
    ...defaultTimeouts,
    stallMs: STALL_MS,
    keepaliveMs: keepalive.timeMs,
    keepaliveTimeoutMs: keepalive.timeoutMs,
    maxAgeMs: keepalive.maxConnectionAgeMs,
    maxAgeGraceMs: keepalive.maxConnectionAgeGraceMs,
  };
  return {
    ...defaultOptions,
    address,
    port,
    reusePort,
    limits: { ...engineLimits, pings: pingLimits(keepalive) },
    timeouts,
    log,
    tls: tls === null ? null : tlsOptions(tls),
  };
}

function pingLimits(keepalive: GrpcKeepalive): PingLimits {
  const { withoutCalls, minRecvPingIntervalMs } = keepalive;
  return {
    minIntervalMs: minRecvPingIntervalMs,
    minIntervalIdleMs: withoutCalls ? minRecvPingIntervalMs : PING_INTERVAL_WITHOUT_CALLS_MS,
    strikesMax: keepalive.maxPingStrikes,
  };
}

function tlsOptions({ cert, key, root, mutual }: GrpcTls): TlsOptions {
  const authorities = root === null ? {} : { ca: root };
  return { cert, key, ...authorities, requestCert: mutual, rejectUnauthorized: mutual };
}
