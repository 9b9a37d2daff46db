import type { ConnectionOptions } from 'node:tls';
import type { Log } from '../../base/log.js';
import type { RedisCacheOptions, RedisTls } from '../../config/options.js';
import { readPem } from '../../config/pem.js';
import { asServerError } from '../../types/errors.js';

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 2000;

export type RedisReply = { readonly kind: 'found'; readonly value: Buffer } | { readonly kind: 'absent' | 'failed' };

/** What is asked of a Redis server. Nothing rejects. */
export interface RedisConnection {
  readonly isReady: boolean;
  get(key: string): Promise<RedisReply>;
  set(key: string, value: Buffer): Promise<void>;
  close(): void;
}

/** Reads the files of certificates. Throws INVALID_ARGUMENT that names setting and file. */
export function readRedisTls({ caFile, certFile, keyFile, serverName }: RedisTls): ConnectionOptions {
  const read = (key: string, file: string) => readPem(`--cache-config=redis,${key}`, file);
  return {
    ...(caFile !== '' && { ca: read('cacert', caFile) }),
    ...(certFile !== '' && { cert: read('cert', certFile), key: read('key', keyFile) }),
    ...(serverName !== '' && { servername: serverName }),
  };
}

/**
 * Connects in the background, again and again, and again when the connection was lost; the log has one line for each time that it is lost and had. Resolves
 * when the client is loaded; null = it cannot be.
 */
export async function connectRedis(
  options: RedisCacheOptions,
  tls: ConnectionOptions | null,
  log: Log,
): Promise<RedisConnection | null> {
  const where = `Redis at ${options.host}:${options.port}`;
  try {
    const client = await newClient(options, tls);
    let isLost = false;
    client.on('ready', () => {
      isLost = false;
      log.info(`response cache: connected to ${where}`);
    });
    client.on('error', (error: unknown) => {
      if (!isLost) log.warning(`response cache: no connection to ${where}: ${asServerError(error).message}`);
      isLost = true;
    });
    // It rejects only where it was closed meanwhile.
    client.connect().catch(() => {});
    return new ClientConnection(client, log);
  } catch (error) {
    log.error(`response cache: the client of Redis does not load: ${asServerError(error).message}`);
    return null;
  }
}

type Client = Awaited<ReturnType<typeof newClient>>;

/** The package is loaded by those who use it. */
async function newClient(options: RedisCacheOptions, tls: ConnectionOptions | null) {
  const { host, port, user, password, database, connectTimeoutMs } = options;
  const { createClient, RESP_TYPES } = await import('@redis/client');
  return createClient({
    // Redis before version 6 speaks no other.
    RESP: 2,
    socket: {
      ...(tls === null ? {} : { ...tls, tls: true as const }),
      host,
      port,
      connectTimeout: connectTimeoutMs,
      reconnectStrategy: (retries) => Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(retries, 10)),
    },
    ...(user !== '' && { username: user }),
    ...(password !== '' && { password }),
    database,
    // Who is away is not waited for.
    disableOfflineQueue: true,
    // Time-outs are ours: the client would make an AbortSignal for each command.
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}

class ClientConnection implements RedisConnection {
  readonly #client: Client;
  readonly #log: Log;

  constructor(client: Client, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  async get(key: string): Promise<RedisReply> {
    try {
      const value = await this.#client.get(key);
      return value === null ? { kind: 'absent' } : { kind: 'found', value };
    } catch (error) {
      this.#log.verbose(1, `response cache: a lookup failed: ${asServerError(error).message}`);
      return { kind: 'failed' };
    }
  }

  async set(key: string, value: Buffer): Promise<void> {
    try {
      await this.#client.set(key, value);
    } catch (error) {
      this.#log.verbose(1, `response cache: an answer was not kept: ${asServerError(error).message}`);
    }
  }

  close(): void {
    this.#client.destroy();
  }
}
