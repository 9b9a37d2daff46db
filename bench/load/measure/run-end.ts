import type { Clock } from '../../../src/base/clock.js';

/** The user has had enough. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** Waits that give way to the end of the run: the user's, or that of a generator that is broken. */
export class RunEnd {
  readonly #clock: Clock;
  readonly #ended: Promise<never>;
  #reason: Error | null = null;
  #wake: () => void = () => {};

  constructor(clock: Clock, signal: AbortSignal, broken: Promise<never>) {
    this.#clock = clock;
    this.#ended = new Promise((_, reject) => {
      const end = (reason: Error) => {
        this.#reason ??= reason;
        reject(this.#reason);
        this.#wake();
      };
      broken.catch(end);
      if (signal.aborted) end(new Interrupted());
      else signal.addEventListener('abort', () => end(new Interrupted()), { once: true });
    });
    this.#ended.catch(() => {});
  }

  /** Rejects with the reason as soon as the run ends. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#reason !== null) return reject(this.#reason);
      const cancel = this.#clock.after(ms * 1000, () => {
        this.#wake = () => {};
        resolve();
      });
      this.#wake = () => {
        cancel();
        reject(this.#reason);
      };
    });
  }

  /** What the promise says, unless the run ends before. */
  guard<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    return Promise.race([this.#ended, promise]);
  }
}
