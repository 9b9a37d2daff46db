import type { Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import type { RedisCacheOptions } from '../../config/options.js';
import { Breaker } from './breaker.js';
import type { CacheEntry } from './cache-entry.js';
import { decodeEntry, encodeEntry } from './entry-codec.js';
import { connectRedis, type RedisConnection, readRedisTls } from './redis-connection.js';
import type { ResponseStore } from './response-store.js';

const KEY_PREFIX = 'conch:1:';

/** Lookups that Redis has not answered; beyond it nobody asks. */
const LOOKUPS_MAX = 4096;

/** Bytes of answers on their way to Redis; beyond it others are not kept. */
const INSERTIONS_BYTES_MAX = 64 * 1024 * 1024;

/**
 * `--cache-config=redis`: answers in a Redis server, shared with others. Where it is away or slow there is no answer: a lookup ends when its time is
 * up, nobody asks for a while after some of these, and insertions are waited for by nobody.
 */
export class RedisStore implements ResponseStore {
  readonly isShared = true;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #breaker = new Breaker();
  readonly #connection: Promise<RedisConnection | null>;
  /** Null = the client is not loaded yet. */
  #redis: RedisConnection | null = null;
  #lookups = 0;
  #insertionBytes = 0;

  /** Connects in the background. Throws INVALID_ARGUMENT where a file of a certificate cannot be read. */
  constructor(options: RedisCacheOptions, clock: Clock, log: Log) {
    this.#timeoutMs = options.timeoutMs;
    this.#clock = clock;
    this.#connection = connectRedis(options, options.tls && readRedisTls(options.tls), log);
    void this.#connection.then((redis) => {
      this.#redis = redis;
    });
  }

  lookup(key: string): CacheEntry | null | Promise<CacheEntry | null> {
    const redis = this.#redis;
    if (!redis?.isReady || this.#lookups >= LOOKUPS_MAX || !this.#breaker.allows(this.#clock.nowUs())) return null;
    return new Promise((resolve) => this.#ask(redis, key, resolve));
  }

  insert(key: string, entry: CacheEntry): boolean {
    const redis = this.#redis;
    if (!redis?.isReady || !this.#breaker.isClosed) return true;
    const value = encodeEntry(entry);
    if (this.#insertionBytes + value.length > INSERTIONS_BYTES_MAX) return true;
    this.#insertionBytes += value.length;
    void redis.set(KEY_PREFIX + key, value).finally(() => {
      this.#insertionBytes -= value.length;
    });
    return true;
  }

  close(): void {
    void this.#connection.then((redis) => redis?.close());
  }

  #ask(redis: RedisConnection, key: string, resolve: (entry: CacheEntry | null) => void): void {
    let isOver = false;
    const expire = () => {
      if (isOver) return;
      isOver = true;
      this.#breaker.failed(this.#clock.nowUs());
      resolve(null);
    };
    // Where we were late ourselves the reply may be there: sockets are read before immediates.
    const timer = setTimeout(() => setImmediate(expire), this.#timeoutMs);
    this.#lookups++;
    void redis.get(KEY_PREFIX + key).then((reply) => {
      this.#lookups--;
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (reply.kind === 'failed') this.#breaker.failed(this.#clock.nowUs());
      else this.#breaker.succeeded();
      resolve(reply.kind === 'found' ? decodeEntry(reply.value) : null);
    });
  }
}
