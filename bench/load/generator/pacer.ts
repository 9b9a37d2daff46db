/** Timers come up to so much late. */
const TIMER_SLACK_MS = 1.5;
/** A wait that no answer interrupts: as long as its loss does not matter, and long enough to leave the processor to others. */
const NAP_MS = 0.05;

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Calls a function at times that a timer of whole milliseconds cannot keep: a timer for the greater part of a wait, the rest in naps
 * between looks at the sockets. A thread that serves others has to look without naps (`mayNap` false): that keeps a processor busy.
 */
export class Pacer {
  readonly #due: () => void;
  readonly #mayNap: boolean;
  #atMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #look: NodeJS.Immediate | null = null;

  constructor(due: () => void, mayNap: boolean) {
    this.#due = due;
    this.#mayNap = mayNap;
  }

  /** `due` is called once, at `atMs` of `performance.now()` or right after it; a later call of `at` replaces the earlier. */
  at(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.stop();
    this.#atMs = atMs;
    if (atMs !== Number.POSITIVE_INFINITY) this.#wait();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#look !== null) clearImmediate(this.#look);
    this.#timer = null;
    this.#look = null;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  #wait = (): void => {
    const restMs = this.#atMs - performance.now();
    if (restMs <= 0) {
      this.stop();
      this.#due();
    } else if (restMs > TIMER_SLACK_MS) {
      // A longer one would overflow and come at once.
      this.#timer = setTimeout(this.#wait, Math.min(restMs - TIMER_SLACK_MS, 2 ** 31 - 1));
    } else {
      if (this.#mayNap) Atomics.wait(never, 0, 0, Math.min(NAP_MS, restMs));
      this.#look = setImmediate(this.#wait);
    }
  };
}
