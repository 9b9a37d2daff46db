/** A change counts when nothing has moved for so long: a file may still be being written. */
export const SETTLE_MS = 200;

interface Sight {
  readonly stamp: string;
  /** Monotonic milliseconds of the end of the first look that saw it so. */
  readonly sinceMs: number;
}

/** When somebody looked, monotonic milliseconds: what was seen was so at some moment between the two. */
export interface Look {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Tells whether what was seen of models has stood still long enough. */
export class Settling {
  readonly #seen = new Map<string, Sight>();

  /**
   * How long to wait before the next look, milliseconds; 0 = it has settled.
   * @param stamp of what is there, '' = nothing
   * @param ageMs from when the newest file was put there until the look began, by the clocks of the files and of this machine, which may
   * differ
   */
  waitMs(name: string, stamp: string, ageMs: number, { beganMs, endedMs }: Look): number {
    const seen = this.#seen.get(name);
    const sinceMs = seen?.stamp === stamp ? seen.sinceMs : endedMs;
    const stillMs = Math.max(0, beganMs - sinceMs, stamp === '' ? 0 : ageMs);
    if (stillMs >= SETTLE_MS) {
      this.#seen.delete(name);
      return 0;
    }
    this.#seen.set(name, { stamp, sinceMs });
    return SETTLE_MS - stillMs;
  }

  /** It stands as it is known: what was seen of a change before counts for nothing. */
  forget(name: string): void {
    this.#seen.delete(name);
  }
}
