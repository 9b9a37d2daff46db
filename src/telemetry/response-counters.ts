import { type DurationTotal, durationTotal } from './duration-total.js';

/** What became of one answer of a decoupled model (fact sheet 6); `cancel`: of what would have followed. */
export type ResponseOutcome = 'success' | 'fail' | 'empty_response' | 'cancel';

/** One element of `response_stats`. */
export type ResponseStatistics = Readonly<Record<'compute_infer' | 'compute_output' | ResponseOutcome, DurationTotal>>;

/** A model may answer for ever: all answers from this one on count as one index. */
const LAST_INDEX = 1023;

/** Each is a count and a sum of microseconds. */
const COMPUTE_INFER = 0;
const COMPUTE_OUTPUT = 2;
const OUTCOMES = { success: 4, fail: 6, empty_response: 8, cancel: 10 } as const;
const WIDTH = 12;

/** The answers of a decoupled model, by their place among those to one request. Allocates only where a place is new. */
export class ResponseCounters {
  #counters = new Float64Array(0);
  #places = 0;

  add(index: number, outcome: ResponseOutcome, inferUs: number, outputUs: number): void {
    const place = Math.min(index, LAST_INDEX);
    if (place >= this.#places) this.#grow(place + 1);
    this.#note(place, OUTCOMES[outcome], inferUs + outputUs);
    if (outcome !== 'cancel') this.#note(place, COMPUTE_INFER, inferUs);
    if (outcome === 'success') this.#note(place, COMPUTE_OUTPUT, outputUs);
  }

  /** By index; empty where nothing was counted. */
  snapshot(): Record<string, ResponseStatistics> {
    const places = Array.from({ length: this.#places }, (_, place) => [String(place), this.#statistics(place)]);
    return Object.fromEntries(places) as Record<string, ResponseStatistics>;
  }

  #statistics(place: number): ResponseStatistics {
    const at = (what: number) => {
      const start = place * WIDTH + what;
      return durationTotal(this.#counters[start]!, this.#counters[start + 1]!);
    };
    return {
      compute_infer: at(COMPUTE_INFER),
      compute_output: at(COMPUTE_OUTPUT),
      success: at(OUTCOMES.success),
      fail: at(OUTCOMES.fail),
      empty_response: at(OUTCOMES.empty_response),
      cancel: at(OUTCOMES.cancel),
    };
  }

  #note(place: number, what: number, us: number): void {
    const start = place * WIDTH + what;
    this.#counters[start]!++;
    this.#counters[start + 1]! += us;
  }

  #grow(places: number): void {
    this.#places = places;
    if (places * WIDTH <= this.#counters.length) return;
    const grown = new Float64Array(Math.max(places * WIDTH, this.#counters.length * 2));
    grown.set(this.#counters);
    this.#counters = grown;
  }
}
