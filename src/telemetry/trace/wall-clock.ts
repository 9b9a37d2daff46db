import type { HrTime } from '@opentelemetry/api';
import { monotonicUs } from '../../base/clock.js';

/** Beyond this, the clock of the machine was set back. */
const STEP_NS = 20_000_000n;

/** Time of day of a moment of the monotonic clock. */
export class WallClock {
  #offsetNs: bigint;
  readonly #measure: () => bigint;

  constructor(measure: () => bigint = measureOffsetNs) {
    this.#measure = measure;
    this.#offsetNs = measure();
  }

  /** Follows the clock of the machine; between calls, moments keep their distances. */
  adjust(): void {
    const offsetNs = this.#measure();
    // `Date.now` leaves out what is behind the millisecond: the largest difference of many is the truest.
    if (offsetNs > this.#offsetNs || this.#offsetNs - offsetNs > STEP_NS) this.#offsetNs = offsetNs;
  }

  /** Nanoseconds of the monotonic clock -> seconds and nanoseconds since 1970. */
  at(monotonicNs: number): HrTime {
    const ns = BigInt(Math.round(monotonicNs)) + this.#offsetNs;
    return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
  }
}

function measureOffsetNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n - BigInt(Math.round(monotonicUs() * 1000));
}
