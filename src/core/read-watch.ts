import type { Clock } from '../base/clock.js';
import { ServerError } from '../types/errors.js';
import { UnreadTable } from './unread-table.js';

/** A request whose answers somebody should read. */
export interface WatchedRequest {
  /** Answers that its client was given and has not taken. */
  readonly held: number;
  /** Ends it for this reason; false = no client is to blame for the wait. */
  cutOff(error: ServerError): boolean;
}

/** Cuts off the requests of one model whose clients have read none of their answers for `--response-timeout-secs`. */
export class ReadWatch {
  readonly #clock: Clock;
  readonly #error: ServerError;
  readonly #table: UnreadTable<WatchedRequest>;
  #cancelTimer: (() => void) | null = null;

  constructor(model: string, timeoutSecs: number, clock: Clock) {
    this.#clock = clock;
    this.#table = new UnreadTable(timeoutSecs * 1e6);
    const text = `no answer of model '${model}' was read for ${timeoutSecs} s (--response-timeout-secs)`;
    this.#error = new ServerError('UNAVAILABLE', text);
  }

  given(request: WatchedRequest): void {
    this.#table.given(request, this.#clock.nowUs());
    if (this.#cancelTimer === null) this.#setTimer();
  }

  taken(request: WatchedRequest): void {
    this.#table.taken(request, request.held, this.#clock.nowUs());
  }

  close(): void {
    this.#cancelTimer?.();
  }

  /** One timer for all: it may come too early, because somebody read meanwhile. */
  #setTimer(): void {
    const { due } = this.#table;
    this.#cancelTimer = null;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, due - this.#clock.nowUs()), () => this.#look());
  }

  #look(): void {
    for (const request of this.#table.takeOverdue(this.#clock.nowUs())) {
      // Others may have been cut off with it.
      if (request.held > 0 && !request.cutOff(this.#error)) this.#table.given(request, this.#clock.nowUs());
    }
    this.#setTimer();
  }
}
