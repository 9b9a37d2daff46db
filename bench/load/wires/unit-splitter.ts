import { ByteCollector } from './byte-collector.js';

/** How long the unit is that begins at `at`, of which `available` bytes are there; 0 = that is not enough to tell. */
export type UnitBytes = (bytes: Buffer, at: number, available: number) => number;

/** `bytes[start, end)` is a whole unit, valid during the call. */
export type OnUnit = (bytes: Buffer, start: number, end: number) => void;

/** A unit that says that it is longer is collected without room made for it at once. */
const EXPECTED_BYTES_MAX = 2 ** 26;

/** Cuts what comes in pieces into units that say how long they are. A unit that comes in one piece is not copied. */
export class UnitSplitter {
  isStopped = false;
  readonly #unitBytes: UnitBytes;
  readonly #onUnit: OnUnit;
  /** The beginning of a unit whose rest has not come. */
  readonly #collected = new ByteCollector();
  /** Of that unit; 0 = not known yet. */
  #expectedBytes = 0;

  constructor(unitBytes: UnitBytes, onUnit: OnUnit) {
    this.#unitBytes = unitBytes;
    this.#onUnit = onUnit;
  }

  /** Something of a unit has come, not all. */
  get isWithin(): boolean {
    return this.#collected.length > 0;
  }

  /** A unit in these bytes stays until the next one begins. */
  owns(bytes: Buffer): boolean {
    return bytes === this.#collected.bytes;
  }

  reset(): void {
    this.#collected.reset();
    this.#expectedBytes = 0;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    let at = this.isWithin ? this.#complete(bytes, start, end) : start;
    while (at < end && !this.isStopped) {
      const count = this.#unitBytes(bytes, at, end - at);
      if (count === 0 || count > end - at) {
        this.#begin(count, bytes, at, end);
        return;
      }
      at += count;
      this.#onUnit(bytes, at - count, at);
    }
  }

  #begin(expectedBytes: number, bytes: Buffer, start: number, end: number): void {
    this.#expectedBytes = expectedBytes;
    this.#collected.reset(Math.min(expectedBytes, EXPECTED_BYTES_MAX));
    this.#collected.append(bytes, start, end);
  }

  /** @returns where the bytes go on */
  #complete(bytes: Buffer, start: number, end: number): number {
    const collected = this.#collected;
    let at = start;
    for (; this.#expectedBytes === 0 && at < end; at++) {
      collected.append(bytes, at, at + 1);
      this.#expectedBytes = this.#unitBytes(collected.bytes, 0, collected.length);
    }
    const missing = this.#expectedBytes - collected.length;
    if (this.#expectedBytes === 0) return at;
    const partEnd = Math.min(end, at + missing);
    collected.append(bytes, at, partEnd);
    if (collected.length === this.#expectedBytes) {
      collected.length = 0;
      const unitEnd = this.#expectedBytes;
      this.#expectedBytes = 0;
      this.#onUnit(collected.bytes, 0, unitEnd);
    }
    return partEnd;
  }
}
