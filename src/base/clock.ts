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
const offsetUs = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

/** Monotonic microseconds, comparable between threads. */
export function monotonicUs(): number {
  return performance.now() * 1000 + offsetUs;
}

export const systemClock: Clock = {
  nowUs: monotonicUs,
  after(delayUs, run) {
    // Rounded up: a timer that fires before its time would find nothing due and be set again.
    const timer = setTimeout(run, Math.ceil(delayUs / 1000));
    return () => clearTimeout(timer);
  },
};
