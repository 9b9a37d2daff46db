import { RowCounters } from './row-counters.js';

const COUNT = 0;
const US = 1;
const QUEUE_US = 2;
const COMPUTE_US = 3;
const FAIL = 4;
const FAIL_US = 5;
const WIDTH = 6;

/** Requests of one number of rows: how many ended well or failed, and their times together in microseconds. */
export interface RequestSize {
  readonly rows: number;
  readonly count: number;
  readonly us: number;
  readonly queueUs: number;
  /** Of the whole batch of each. */
  readonly computeUs: number;
  readonly failed: number;
  readonly failedUs: number;
}

/** The requests to a model by their number of rows. */
export class RequestCounters {
  readonly #table = new RowCounters(WIDTH);

  /** `requests` requests of `rows` rows each; the times are those of one. */
  ended(rows: number, us: number, queueUs: number, computeUs: number, requests: number): void {
    const start = this.#table.begin(rows);
    const c = this.#table.counters;
    c[start + COUNT]! += requests;
    c[start + US]! += requests * us;
    c[start + QUEUE_US]! += requests * queueUs;
    c[start + COMPUTE_US]! += requests * computeUs;
  }

  failed(rows: number, us: number, requests: number): void {
    const start = this.#table.begin(rows);
    const c = this.#table.counters;
    c[start + FAIL]! += requests;
    c[start + FAIL_US]! += requests * us;
  }

  /** By number of rows. */
  sizes(): RequestSize[] {
    return this.#table.rows().map((rows) => this.#size(rows));
  }

  #size(rows: number): RequestSize {
    const start = this.#table.begin(rows);
    const c = this.#table.counters;
    return {
      rows,
      count: c[start + COUNT]!,
      us: c[start + US]!,
      queueUs: c[start + QUEUE_US]!,
      computeUs: c[start + COMPUTE_US]!,
      failed: c[start + FAIL]!,
      failedUs: c[start + FAIL_US]!,
    };
  }
}
