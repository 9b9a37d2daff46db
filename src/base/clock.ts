/**
 * Time for everything that decides. Deciders take `nowUs` as a number; drivers get a `Clock`, so that tests move it by hand.
 * Unit: microseconds of the machine's monotonic clock, with a fraction; the same base in every thread.
 */
export interface Clock {
  nowUs(): number;
  /** Calls `run` once, `delayUs` from now (0 = the next turn of the event loop). The result cancels it; cancelling twice is fine. */
  after(delayUs: number, run: () => void): () => void;
}

/** `performance.now()` starts anew in each thread; `process.hrtime` does not. The difference is constant for a thread. */
const offsetUs = measureOffsetUs();

/** The largest of several: whatever comes between the two readings makes it too small. */
function measureOffsetUs(): number {
  let offset = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < 8; i++) {
    const hrUs = Number(process.hrtime.bigint() / 1000n);
    offset = Math.max(offset, hrUs - performance.now() * 1000);
  }
  return offset;
}

/** Monotonic microseconds, comparable between threads. */
export function monotonicUs(): number {
  return performance.now() * 1000 + offsetUs;
}

/** The same in milliseconds. */
export function nowMs(): number {
  return monotonicUs() / 1000;
}

export const systemClock: Clock = {
  nowUs: monotonicUs,
  after(delayUs, run) {
    const alarm = new Alarm(monotonicUs() + delayUs, run);
    alarm.wait(delayUs);
    return () => alarm.cancel();
  },
};

/** Queue delays are some 100 µs and `setTimeout` counts milliseconds: the last one is waited for turn by turn of the event loop. */
class Alarm {
  readonly #dueUs: number;
  readonly #run: () => void;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;

  constructor(dueUs: number, run: () => void) {
    this.#dueUs = dueUs;
    this.#run = run;
  }

  wait(leftUs: number): void {
    if (leftUs >= 2000) this.#timer = setTimeout(() => this.#look(), Math.floor(leftUs / 1000) - 1);
    else this.#immediate = setImmediate(() => this.#look());
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
  }

  #look(): void {
    const leftUs = this.#dueUs - monotonicUs();
    if (leftUs > 0) this.wait(leftUs);
    else this.#run();
  }
}
