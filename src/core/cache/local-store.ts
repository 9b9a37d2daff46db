import type { Clock } from '../../base/clock.js';
import type { LocalCacheCounts } from '../../telemetry/cache-metrics.js';
import { type CacheEntry, entryBytes } from './cache-entry.js';
import { ByteLru } from './lru.js';
import type { ResponseStore } from './response-store.js';

/** `--cache-config=local`: answers in memory of this process, outside the heap and outside the tensor memory. */
export class LocalStore implements ResponseStore {
  readonly isShared = false;
  readonly #entries: ByteLru<CacheEntry>;
  readonly #clock: Clock;
  #lookups = 0;
  #hits = 0;
  #lookupUs = 0;
  #insertionUs = 0;

  constructor(bytes: number, clock: Clock) {
    this.#entries = new ByteLru(bytes);
    this.#clock = clock;
  }

  get counts(): LocalCacheCounts {
    const { capacity, used, size, evictions } = this.#entries;
    return {
      utilization: used / capacity,
      entries: size,
      lookups: this.#lookups,
      hits: this.#hits,
      misses: this.#lookups - this.#hits,
      evictions,
      lookupUs: this.#lookupUs,
      insertionUs: this.#insertionUs,
    };
  }

  lookup(key: string): CacheEntry | null {
    const beginUs = this.#clock.nowUs();
    const entry = this.#entries.get(key);
    this.#lookups++;
    if (entry !== null) this.#hits++;
    this.#lookupUs += this.#clock.nowUs() - beginUs;
    return entry;
  }

  insert(key: string, entry: CacheEntry): boolean {
    if (this.#entries.has(key)) return false;
    const beginUs = this.#clock.nowUs();
    this.#entries.add(key, entry, entryBytes(entry));
    this.#insertionUs += this.#clock.nowUs() - beginUs;
    return true;
  }

  close(): void {}
}
