/** Connections with something to be written: one microtask for all that get ready in one callback, and one write each. */
export class WorkQueue {
  #waiting: { work(): void }[] = [];

  add(connection: { work(): void }): void {
    if (this.#waiting.push(connection) === 1) queueMicrotask(this.#run);
  }

  readonly #run = (): void => {
    const connections = this.#waiting;
    this.#waiting = [];
    for (const connection of connections) connection.work();
  };
}
