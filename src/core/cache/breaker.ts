/** Failures in a row after which nobody asks any more. */
const FAILURES_MAX = 3;

/** How long that lasts, µs. Then one asks, and the others as soon as it was answered. */
const REST_US = 1_000_000;

/** Keeps requests from waiting for somebody who does not answer. */
export class Breaker {
  /** In a row. */
  #failures = 0;
  #restsUntilUs = 0;

  /** Whoever asks is answered in time, as far as is known. */
  get isClosed(): boolean {
    return this.#failures < FAILURES_MAX;
  }

  /** Whether to ask now; who may must tell how it ended. */
  allows(nowUs: number): boolean {
    if (this.isClosed) return true;
    if (nowUs < this.#restsUntilUs) return false;
    this.#restsUntilUs = nowUs + REST_US;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(nowUs: number): void {
    this.#failures++;
    this.#restsUntilUs = nowUs + REST_US;
  }
}
