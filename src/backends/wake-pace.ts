/** So many rows are worth waking a thread for. */
const WAKE_ROWS = 4;

/** A turn of the event loop that brings no more rows than this is a calm one. */
const CALM_ROWS = 24;

/**
 * Decides when a worker that sleeps is woken, turn of the event loop by turn. Waking a thread costs as much as answering a few
 * requests, and it takes as long to get going: in a busy turn it is woken when the batch is full or all that has arrived is in it; in
 * a calm one soon, so that it gets going while the rest is read.
 */
export class WakePace {
  #rows = 0;
  #wakeRows = WAKE_ROWS;

  /** `rows` more came. True = the worker is to be woken now. */
  add(rows: number): boolean {
    const before = this.#rows;
    this.#rows += rows;
    return before < this.#wakeRows && this.#rows >= this.#wakeRows;
  }

  /** The turn ends: the next one is taken to be like it. */
  endTurn(): void {
    this.#wakeRows = this.#rows <= CALM_ROWS ? WAKE_ROWS : Number.POSITIVE_INFINITY;
    this.#rows = 0;
  }
}
