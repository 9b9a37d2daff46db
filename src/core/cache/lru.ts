/** What an entry costs besides its value, its key and its places in the table: measured, resident memory. */
export const ENTRY_OVERHEAD_BYTES = 512;

interface Held<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/** Values by key, bounded in bytes: who was asked for least recently goes first. */
export class ByteLru<Value> {
  readonly capacity: number;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Held<Value>>();
  #used = 0;
  #evictions = 0;

  /** @param capacity bytes, those of `ENTRY_OVERHEAD_BYTES` included */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes. */
  get used(): number {
    return this.#used;
  }

  /** Entries that had to make room. */
  get evictions(): number {
    return this.#evictions;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): Value | null {
    const held = this.#entries.get(key);
    if (held === undefined) return null;
    this.#entries.delete(key);
    this.#entries.set(key, held);
    return held.value;
  }

  /** An entry of `bytes` bytes. False = it is there already, or larger than all the room there is: nothing has changed. */
  add(key: string, value: Value, bytes: number): boolean {
    const cost = bytes + ENTRY_OVERHEAD_BYTES;
    if (cost > this.capacity || this.#entries.has(key)) return false;
    while (this.#used + cost > this.capacity) this.#evictFirst();
    this.#entries.set(key, { value, bytes: cost });
    this.#used += cost;
    return true;
  }

  #evictFirst(): void {
    const [key, { bytes }] = this.#entries.entries().next().value!;
    this.#entries.delete(key);
    this.#used -= bytes;
    this.#evictions++;
  }
}
