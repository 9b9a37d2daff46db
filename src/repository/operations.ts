/** What is done to one model: one operation after another, each with a signal that says when nobody wants its result any more. */
export class Operations {
  #last: Promise<unknown> = Promise.resolve();
  #control = new AbortController();

  /** Resolves or rejects as the operation does, when those before it are over. */
  run<T>(operation: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#control;
    const done = this.#last.then(() => operation(signal));
    this.#last = done.catch(() => {});
    return done;
  }

  /** Whatever runs or waits now is out of date. */
  supersede(): void {
    this.#control.abort();
    this.#control = new AbortController();
  }

  /** Resolves when nothing runs or waits of what was begun until now. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

/** Resolves with the work, which never rejects, or when nobody wants it any more. */
export function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end);
    void work.then(end);
  });
}
