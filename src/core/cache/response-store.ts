import type { CacheEntry } from './cache-entry.js';

/** Where answers are kept, by the key of their request. Neither of its methods throws. */
export interface ResponseStore {
  /** Other servers, and this one when it starts again, see the same entries: keys have to say what a model is made of. */
  readonly isShared: boolean;
  /** Null = it is not there. A promise where that takes its time; it does not reject. */
  lookup(key: string): CacheEntry | null | Promise<CacheEntry | null>;
  /** False = it was there already. */
  insert(key: string, entry: CacheEntry): boolean;
  close(): void;
}
