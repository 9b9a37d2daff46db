/** So many rows are worth waking a thread for, or looking whether it has ended something. */
const WORTH_ROWS = 4;

/** A turn of the event loop that brings no more rows than this, to all instances together, is a calm one. */
const CALM_ROWS = 24;

/** How often in a turn it is looked for batches that have ended. */
const LOOKS_PER_TURN = 4;

/**
 * Paces what the main thread and a worker do to one another, turn of the event loop by turn; each turn is taken to be like the one before.
 *
 * Waking a thread costs as much as answering a few requests, and it takes as long to get going: in a busy turn a sleeping worker is woken
 * when the batch is full or all that has arrived is in it; in a calm one soon, so that it gets going while the rest is read. Batches that
 * end meanwhile are answered a few times in a turn: their clients go on, and the worker gets no more batches than that.
 */
export class WakePace {
  #rows = 0;
  #wakeRows = WORTH_ROWS;
  #unseenRows = 0;
  #lookRows = WORTH_ROWS;

  /** `rows` more came. True = the worker is to be woken now. */
  add(rows: number): boolean {
    const before = this.#rows;
    this.#rows += rows;
    this.#unseenRows += rows;
    return before < this.#wakeRows && this.#rows >= this.#wakeRows;
  }

  /** Enough came since `looked` to look for batches that have ended. */
  get mayLook(): boolean {
    return this.#unseenRows >= this.#lookRows;
  }

  looked(): void {
    this.#unseenRows = 0;
  }

  /** @param turnRows of all instances in this turn */
  endTurn(turnRows: number): void {
    this.#wakeRows = turnRows <= CALM_ROWS ? WORTH_ROWS : Number.POSITIVE_INFINITY;
    this.#lookRows = Math.max(WORTH_ROWS, this.#rows / LOOKS_PER_TURN);
    this.#rows = 0;
    this.#unseenRows = 0;
  }
}
