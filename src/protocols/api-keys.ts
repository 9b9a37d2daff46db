import { timingSafeEqual } from 'node:crypto';
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

/** Values are compared in multiples of so many bytes. */
const WIDTH_BYTES = 256;

class Lock {
  readonly header: string;
  readonly #bytes: number;
  /** Both with zeros behind the value. */
  readonly #value: Buffer;
  readonly #given: Buffer;

  constructor(header: string, value: string) {
    this.header = header;
    this.#bytes = Buffer.byteLength(value);
    this.#value = Buffer.alloc(Math.ceil(this.#bytes / WIDTH_BYTES) * WIDTH_BYTES);
    this.#value.write(value);
    this.#given = Buffer.alloc(this.#value.length);
  }

  /** In a time that tells nothing of the value, nor of its length but for the width: all of that is compared. */
  opens(given: string): boolean {
    this.#given.fill(0);
    this.#given.write(given);
    return timingSafeEqual(this.#given, this.#value) && Buffer.byteLength(given) === this.#bytes;
  }
}
