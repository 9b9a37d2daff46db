import { RowCounters } from './row-counters.js';

const COUNT = 0;
const INPUT_US = 1;
const INFER_US = 2;
const OUTPUT_US = 3;
const WIDTH = 4;

/** Executions of one number of rows: how many, and their times together in microseconds. */
export interface BatchSize {
  readonly rows: number;
  readonly count: number;
  readonly inputUs: number;
  readonly inferUs: number;
  readonly outputUs: number;
}

/** The executions of a model by their number of rows. */
export class BatchCounters {
  readonly #table = new RowCounters(WIDTH);

  add(rows: number, inputUs: number, inferUs: number, outputUs: number): void {
    const start = this.#table.begin(rows);
    const c = this.#table.counters;
    c[start + COUNT]!++;
    c[start + INPUT_US]! += inputUs;
    c[start + INFER_US]! += inferUs;
    c[start + OUTPUT_US]! += outputUs;
  }

  /** By number of rows (fact sheet 13.2 item 33). */
  sizes(): BatchSize[] {
    return this.#table.rows().map((rows) => this.#size(rows));
  }

  #size(rows: number): BatchSize {
    const start = this.#table.begin(rows);
    const c = this.#table.counters;
    return {
      rows,
      count: c[start + COUNT]!,
      inputUs: c[start + INPUT_US]!,
      inferUs: c[start + INFER_US]!,
      outputUs: c[start + OUTPUT_US]!,
    };
  }
}
