/** Deadlines are looked at so often: a call ends that much late at most, and never early. */
const TICK_US = 10_000;

/** Whose time has come. */
export interface Expiring {
  /** Monotonic microseconds. */
  readonly deadlineUs: number;
  expire(): void;
}

/**
 * The calls that have a deadline, in buckets of one tick: adding and removing one costs the same however many there are, and one timer
 * serves them all. No timer runs while there is none.
 */
export class Deadlines {
  readonly #nowUs: () => number;
  readonly #buckets = new Map<number, Set<Expiring>>();
  #count = 0;
  /** All buckets before this one are empty. */
  #next = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(nowUs: () => number) {
    this.#nowUs = nowUs;
  }

  add(call: Expiring): void {
    if (this.#count++ === 0) this.#start();
    const bucket = Math.max(this.#next, bucketOf(call));
    const calls = this.#buckets.get(bucket);
    if (calls === undefined) this.#buckets.set(bucket, new Set([call]));
    else calls.add(call);
  }

  /** One that has been added and did not expire. */
  remove(call: Expiring): void {
    const bucket = bucketOf(call);
    const calls = this.#buckets.get(bucket);
    if (calls === undefined || !calls.delete(call)) return;
    if (calls.size === 0) this.#buckets.delete(bucket);
    this.#end();
  }

  #start(): void {
    this.#next = Math.floor(this.#nowUs() / TICK_US);
    this.#timer = setInterval(() => this.#tick(), TICK_US / 1000);
  }

  #end(): void {
    if (--this.#count > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    const now = Math.floor(this.#nowUs() / TICK_US);
    // One that expires may end others.
    while (this.#next < now && this.#count > 0) {
      const calls = this.#buckets.get(this.#next);
      this.#buckets.delete(this.#next++);
      for (const call of calls ?? []) {
        this.#end();
        call.expire();
      }
    }
  }
}

/** The bucket is over when the deadline has passed. */
function bucketOf({ deadlineUs }: Expiring): number {
  return Math.floor(deadlineUs / TICK_US);
}
