import type { ResourceLimit } from './rate-limit-options.js';
import type { RestrictedApis } from './restricted-apis.js';
import type { TraceOptions } from './trace-options.js';

/**
 * What the command line asked for, checked: every flag that has an effect, under its own name in camel case (and so with its
 * unit: `-secs`, `-ms`; a `-size` is bytes). Defaults, ranges and texts are in `option-table.ts`.
 */
export interface Options {
  /** Server name in the metadata. */
  readonly id: string;
  /** Budget for requests in flight at the end; 0 = do not wait. */
  readonly exitTimeoutSecs: number;
  /** A model that does not load at start ends the process. */
  readonly exitOnError: boolean;
  readonly strictReadiness: boolean;

  /** At least one. Paths as given: relative ones belong to the working directory. Or URLs that `parseLocation` takes. */
  readonly modelRepositories: readonly string[];
  /** Base name of a custom configuration, `configs/<name>.pbtxt`; '' = config.pbtxt. */
  readonly modelConfigName: string;
  readonly disableAutoCompleteConfig: boolean;
  readonly modelControlMode: 'none' | 'poll' | 'explicit';
  /** Between two looks in mode poll; 0 = none. */
  readonly repositoryPollSecs: number;
  /** In mode explicit; `*` alone = all. */
  readonly loadModels: readonly string[];
  readonly modelNamespacing: boolean;
  readonly modelLoadRetryCount: number;
  /** Models loaded at the same time. */
  readonly modelLoadThreadCount: number;
  readonly backendConfig: BackendConfig;
  /** Shared memory for the tensors of all models, bytes. */
  readonly tensorMemoryByteSize: number;
  readonly allowClientShm: boolean;
  /** Sequences of one model that wait for a slot. */
  readonly sequenceMaxBacklog: number;
  readonly responseTimeoutSecs: number;

  /** `--rate-limit-resource`; null = `--rate-limit=off`. */
  readonly rateLimit: readonly ResourceLimit[] | null;
  /** Null = no answers are kept. */
  readonly responseCache: CacheOptions | null;

  readonly allowHttp: boolean;
  /** A host name, an IPv4 address, or an IPv6 address without brackets. */
  readonly httpAddress: string;
  readonly httpPort: number;
  /** Of `/api/health`: 0 = the port of HTTP, -1 = none. */
  readonly httpHealthPort: number;
  readonly reuseHttpPort: boolean;
  readonly httpEngine: 'auto' | 'uws' | 'net';
  /** JSON, raw and decompressed bytes of one request. */
  readonly httpMaxInputSize: number;
  /** Bytes of any request body. */
  readonly httpMaxBodySize: number;
  /** Bytes of all header lines together. */
  readonly httpMaxHeaderSize: number;
  readonly httpMaxHeaderCount: number;
  readonly httpMaxConnections: number;
  /** A connection between requests; 0 = for ever. */
  readonly httpIdleTimeoutSecs: number;
  /** From the head of a request to the last byte of its body. */
  readonly httpBodyTimeoutSecs: number;
  /** Headers whose name has a match become parameters of a request; null = none do. */
  readonly httpHeaderForwardPattern: RegExp | null;

  readonly serverTiming: boolean;
  /** Secrets: not to be shown. */
  readonly httpRestrictedApi: RestrictedApis;
  readonly ws: WsOptions;

  readonly allowGrpc: boolean;
  readonly grpcAddress: string;
  readonly grpcPort: number;
  readonly reuseGrpcPort: boolean;
  readonly grpcEngine: 'auto' | 'conch' | 'grpc-js';
  /** Bytes of any message of a client, also after it is decompressed. */
  readonly grpcMaxMessageSize: number;
  /** Also where clients are asked for certificates. */
  readonly grpcUseSsl: boolean;
  readonly grpcUseSslMutual: boolean;
  /** PEM files; '' = none. With SSL certificate and key are there. */
  readonly grpcServerCert: string;
  readonly grpcServerKey: string;
  readonly grpcRootCert: string;
  readonly grpcInferResponseCompressionLevel: 'none' | 'low' | 'medium' | 'high';
  readonly grpcKeepalive: GrpcKeepaliveOptions;
  /** As that of HTTP, for metadata. */
  readonly grpcHeaderForwardPattern: RegExp | null;
  /** Secrets: not to be shown. */
  readonly grpcRestrictedProtocol: RestrictedApis;

  readonly allowMetrics: boolean;
  readonly allowCpuMetrics: boolean;
  /** The HTTP address where not given. */
  readonly metricsAddress: string;
  readonly metricsPort: number;
  readonly metricsIntervalMs: number;
  readonly metricsConfig: MetricsConfig;

  /** 0 = no verbose lines; n = those of levels 1 to n. */
  readonly logVerbose: number;
  readonly logInfo: boolean;
  readonly logWarning: boolean;
  readonly logError: boolean;
  readonly logFormat: 'default' | 'ISO8601' | 'json';
  /** '' = standard output and standard error. */
  readonly logFile: string;

  readonly trace: TraceOptions;
}

/** `--cache-config` or `--response-cache-byte-size`. */
export type CacheOptions = LocalCacheOptions | RedisCacheOptions;

/** Answers in memory of this process. */
export interface LocalCacheOptions {
  readonly kind: 'local';
  readonly bytes: number;
}

/** Answers in a Redis server. */
export interface RedisCacheOptions {
  readonly kind: 'redis';
  readonly host: string;
  readonly port: number;
  /** '' = the default one. */
  readonly user: string;
  /** '' = none. */
  readonly password: string;
  readonly database: number;
  readonly connectTimeoutMs: number;
  /** Of a lookup; then the request is executed. */
  readonly timeoutMs: number;
  /** Null = no TLS. */
  readonly tls: RedisTls | null;
}

/** Files are PEM; '' = what Node trusts, and no certificate of ours. */
export interface RedisTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** What the server's certificate is to name; '' = the host. */
  readonly serverName: string;
}

/** The flags `--ws-*`. */
export interface WsOptions {
  /** Origins of pages, `*` = every one; those of the host itself need not be here. */
  readonly allowOrigins: readonly string[];
  readonly maxConnections: number;
  /** Bytes of a message of a client. */
  readonly maxMessageSize: number;
  /** Requests of one connection without an answer. */
  readonly maxInFlight: number;
  /** Bytes of answers that a client has not taken. */
  readonly maxUnsentSize: number;
  /** 0 = never. */
  readonly idleTimeoutSecs: number;
  /** 0 = never. */
  readonly pingIntervalSecs: number;
}

/** The flags `--grpc-keepalive-*`, `--grpc-http2-*` and `--grpc-max-connection-*` (fact sheet 3.7). */
export interface GrpcKeepaliveOptions {
  readonly timeMs: number;
  readonly timeoutMs: number;
  readonly withoutCalls: boolean;
  readonly minRecvPingIntervalMs: number;
  /** 0 = without limit. */
  readonly maxPingStrikes: number;
  /** 0 = never. */
  readonly maxConnectionAgeMs: number;
  /** 0 = without limit. */
  readonly maxConnectionAgeGraceMs: number;
}

/** `--backend-config=[backend,]key=value`: backend ('' = all), then key, to value. A key given twice has its last value. */
export type BackendConfig = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** `--metrics-config=key=value` (fact sheet 7.3). */
export interface MetricsConfig {
  /** The latency counters and the cache counters. */
  readonly counterLatencies: boolean;
  /** Time to the first response, as a histogram. */
  readonly histogramLatencies: boolean;
  /** Quantiles, from 0 to 1, of which latencies are summarised; null = none are. */
  readonly summaryQuantiles: readonly number[] | null;
}
