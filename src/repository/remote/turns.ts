/** Work on one name is done one after another, on different names at the same time. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs when what was asked for before under this name has ended, well or not. */
  async take<T>(name: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(run);
    const ended = turn.catch(() => {});
    this.#last.set(name, ended);
    try {
      return await turn;
    } finally {
      if (this.#last.get(name) === ended) this.#last.delete(name);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
