import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiCategory, RestrictedApis } from '../config/restricted-apis.js';

/** Who may use which part of a protocol: it is open, or asks for a header with a secret. */
export class ApiKeys {
  readonly #locks: ReadonlyMap<ApiCategory, Lock>;

  constructor(restricted: RestrictedApis) {
    const locks = [...restricted].map(([category, key]) => [category, new Lock(key.header, key.value)] as const);
    this.#locks = new Map(locks);
  }

  /**
   * The header that a request should have and has not, or not with the right value; null = it may.
   * @param header its headers, by lower-case name, '' where absent
   */
  missing(category: ApiCategory, header: (name: string) => string): string | null {
    const lock = this.#locks.get(category);
    return lock === undefined || lock.opens(header(lock.header)) ? null : lock.header;
  }
}

class Lock {
  readonly header: string;
  readonly #digest: Buffer;

  constructor(header: string, value: string) {
    this.header = header;
    this.#digest = digestOf(value);
  }

  /** In a time that tells nothing of the value, nor of its length: digests are compared. */
  opens(given: string): boolean {
    return timingSafeEqual(digestOf(given), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
