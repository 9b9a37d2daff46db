import { fromHighBits, highBits } from './double-bits.js';

/** Exponent and one bit of the fraction: two cells to a doubling, negative values behind them. */
const CELL_SHIFT = 19;
const CELLS = 1 << (32 - CELL_SHIFT);

/**
 * The bounds of a histogram and the search in them, shared by all histograms that have them. A table says for each cell of values, half a
 * doubling wide, where its first bucket is; bounds are seldom closer than that, so one comparison remains, and no jump that depends
 * on the value: latencies are too irregular for a processor to guess (measured: 3 ns, where a binary search took 16).
 */
export class Buckets {
  /** Upper bounds, ascending, without +Inf; a value equal to a bound is below it (`le`). */
  readonly bounds: Float64Array;
  /** The bounds and +Inf. */
  readonly #limits: Float64Array;
  readonly #firstOfCell = new Uint16Array(CELLS);

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.#limits = Float64Array.of(...bounds, Number.POSITIVE_INFINITY);
    for (let cell = 0; cell < CELLS / 2; cell++) {
      const start = fromHighBits(cell << CELL_SHIFT);
      this.#firstOfCell[cell] = bounds.filter((bound) => bound < start).length;
    }
  }

  /** Those of the bounds and the one of +Inf. */
  get count(): number {
    return this.#limits.length;
  }

  indexOf(value: number): number {
    const limits = this.#limits;
    let index = this.#firstOfCell[highBits(value) >>> CELL_SHIFT]!;
    index += Number(limits[index]! < value);
    while (limits[index]! < value) index++;
    return index;
  }
}

/**
 * A histogram with fixed buckets: observing allocates nothing. What is observed, the bounds and the sum are in one unit, of which
 * `perUnit` make one of the metric's: latencies are counted in microseconds and shown in seconds, so that a bucket's edge is exact.
 */
export class Histogram {
  readonly buckets: Buckets;
  readonly perUnit: number;
  /** The sum, then one count per bucket, the last for +Inf; not cumulative. */
  readonly #places: Float64Array;

  /** `places` is memory of `Histogram.places(buckets)` zeros in an array of its owner. */
  constructor(buckets: Buckets, perUnit = 1, places = new Float64Array(Histogram.places(buckets))) {
    this.buckets = buckets;
    this.perUnit = perUnit;
    this.#places = places;
  }

  static places(buckets: Buckets): number {
    return buckets.count + 1;
  }

  get sum(): number {
    return this.#places[0]!;
  }

  get count(): number {
    let count = 0;
    for (let bucket = 0; bucket < this.buckets.count; bucket++) count += this.countOf(bucket);
    return count;
  }

  /** Observations in one bucket alone. */
  countOf(bucket: number): number {
    return this.#places[1 + bucket]!;
  }

  observe(value: number, times = 1): void {
    const places = this.#places;
    places[1 + this.buckets.indexOf(value)]! += times;
    places[0]! += times * value;
  }
}

/** 50 µs to 30 s, in microseconds: about three to a decade. */
export const LATENCY_BUCKETS_US = new Buckets([
  50, 100, 250, 500, 1e3, 2.5e3, 5e3, 10e3, 25e3, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6, 5e6, 10e6, 30e6,
]);

export const ROW_BUCKETS = new Buckets([1, 2, 4, 8, 16, 32, 64, 128, 256]);
