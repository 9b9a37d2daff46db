import { fromHighBits, highBits } from './double-bits.js';

/** Sub-buckets of each doubling: a quantile is off by half of one, 0.4 %. */
const STEPS_LOG2 = 7;
/** 2^-6 µs (15 ns) to 2^34 µs (4.8 hours); what lies outside counts at the end next to it. */
const SMALLEST_LOG2 = -6;
const LARGEST_LOG2 = 34;
const BUCKETS = (LARGEST_LOG2 - SMALLEST_LOG2) << STEPS_LOG2;

/** Exponent and first bits of the fraction of a double are a logarithmic bucket number that costs one shift. */
const SHIFT = 20 - STEPS_LOG2;
const FIRST = (1023 + SMALLEST_LOG2) << STEPS_LOG2;

/** As in prometheus-cpp, which Triton uses: quantiles are those of the last minute, which ages in five steps. */
const AGES = 5;
const AGE_US = 12e6;

/** Quantiles of the last minute, and the sum and count of all time; in microseconds. Observing allocates nothing. */
export class Summary {
  /** From 0 to 1. */
  readonly quantiles: readonly number[];
  /** One set of buckets for each twelve seconds; the oldest is used again. */
  readonly #ages = Array.from({ length: AGES }, () => new Uint32Array(BUCKETS));
  #current = 0;
  #startUs: number;
  #sum = 0;
  #count = 0;

  constructor(quantiles: readonly number[], nowUs: number) {
    this.quantiles = quantiles;
    this.#startUs = nowUs;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  observe(us: number, nowUs: number): void {
    this.#age(nowUs);
    this.#ages[this.#current]![bucketOf(us)]!++;
    this.#sum += us;
    this.#count++;
  }

  /** The value of each quantile; NaN where nothing was observed in the last minute. */
  values(nowUs: number): number[] {
    this.#age(nowUs);
    const merged = new Float64Array(BUCKETS);
    for (const age of this.#ages) for (let bucket = 0; bucket < BUCKETS; bucket++) merged[bucket]! += age[bucket]!;
    const total = merged.reduce((sum, count) => sum + count, 0);
    return this.quantiles.map((quantile) =>
      total === 0 ? Number.NaN : valueAt(merged, Math.max(1, Math.ceil(quantile * total))),
    );
  }

  #age(nowUs: number): void {
    if (nowUs - this.#startUs < AGE_US) return;
    const steps = Math.floor((nowUs - this.#startUs) / AGE_US);
    this.#startUs += steps * AGE_US;
    for (let step = 0; step < Math.min(steps, AGES); step++) {
      this.#current = (this.#current + 1) % AGES;
      this.#ages[this.#current]!.fill(0);
    }
  }
}

function bucketOf(us: number): number {
  return Math.min(BUCKETS - 1, Math.max(0, (highBits(Math.max(0, us)) >>> SHIFT) - FIRST));
}

/** The middle of the bucket that holds the `rank`th value, counted from 1. */
function valueAt(counts: Float64Array, rank: number): number {
  let bucket = 0;
  for (let seen = counts[0]!; seen < rank; seen += counts[bucket]!) bucket++;
  return (edge(bucket) + edge(bucket + 1)) / 2;
}

function edge(bucket: number): number {
  return fromHighBits((bucket + FIRST) << SHIFT);
}
