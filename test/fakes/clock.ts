import type { Clock } from '../../src/base/clock.js';

/** Time that moves only when told to. */
export class HandClock implements Clock {
  #nowUs = 0;
  #timers: { dueUs: number; run: () => void }[] = [];

  nowUs(): number {
    return this.#nowUs;
  }

  after(delayUs: number, run: () => void): () => void {
    const timer = { dueUs: this.#nowUs + delayUs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, running what falls due on the way, in order. */
  advance(us: number): void {
    const untilUs = this.#nowUs + us;
    for (let timer = this.#next(untilUs); timer !== undefined; timer = this.#next(untilUs)) {
      this.#timers = this.#timers.filter((other) => other !== timer);
      this.#nowUs = Math.max(this.#nowUs, timer.dueUs);
      timer.run();
    }
    this.#nowUs = untilUs;
  }

  get timers(): number {
    return this.#timers.length;
  }

  #next(untilUs: number) {
    return this.#timers.filter((timer) => timer.dueUs <= untilUs).sort((a, b) => a.dueUs - b.dueUs)[0];
  }
}
