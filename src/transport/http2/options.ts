import type { TlsOptions } from 'node:tls';
import type { Log } from '../../base/log.js';
import type { ConnectionTimeouts } from './connection-watch.js';
import { type ConnectionLimits, defaultLimits } from './limits.js';
import type { StreamTimeouts } from './stream-watch.js';

export interface ListenOptions {
  readonly address: string;
  /** 0 = any free one; the listener says which. */
  readonly port: number;
  /** Several processes may listen on the port (Node >= 22.12). */
  readonly reusePort: boolean;
  /** Certificates, keys and what clients must show; null = no TLS, HTTP/2 with prior knowledge (RFC 9113, 3.3). */
  readonly tls: TlsOptions | null;
  /** More are closed as they come. */
  readonly maxConnections: number;
  readonly limits: ConnectionLimits;
  readonly timeouts: ConnectionTimeouts & StreamTimeouts;
  readonly log: Log;
}

export const defaultTimeouts: ConnectionTimeouts & StreamTimeouts = {
  handshakeMs: 10_000,
  headMs: 10_000,
  idleMs: 0,
  keepaliveMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
  bodyMs: 30_000,
  stallMs: 60_000,
  maxAgeMs: 0,
  maxAgeGraceMs: 0,
  drainMs: 1000,
};

export const defaultOptions: Omit<ListenOptions, 'log'> = {
  address: '127.0.0.1',
  port: 0,
  reusePort: false,
  tls: null,
  maxConnections: 10_000,
  limits: defaultLimits,
  timeouts: defaultTimeouts,
};
