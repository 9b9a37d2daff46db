/** How requests are sent. */
export type Load = ClosedLoad | OpenLoad;

/** So many requests are in flight at any time: each answer lets the next one go. With sequences: so many sequences, a step at a time each. */
export interface ClosedLoad {
  readonly kind: 'closed';
  readonly concurrency: number;
}

/**
 * Requests leave at times that the server has no part in; what finds no free lane waits, and its latency counts from when it should have left. */
export interface OpenLoad {
  readonly kind: 'open';
  readonly arrivals: Arrivals;
  /** At most so many requests are in flight; those that are due beyond it are late. */
  readonly maxInFlight: number;
}

/** Requests per second of an open load at most: beyond, counting those that are due would leave no time to send them. */
export const MAX_RATE = 1_000_000;

/** When requests of an open load are due. */
export type Arrivals =
  | { readonly kind: 'constant'; readonly ratePerSecond: number }
  /** Gaps are exponentially distributed. */
  | { readonly kind: 'poisson'; readonly ratePerSecond: number; readonly seed: number }
  /** Gaps in microseconds, repeated from the beginning when they are used up. */
  | { readonly kind: 'intervals'; readonly gapsUs: readonly number[] }
  | {
      readonly kind: 'profile';
      readonly phases: readonly Phase[];
      readonly distribution: 'constant' | 'poisson';
      readonly seed: number;
    };

/** A part of a profile: the rate goes evenly from one value to the other; equal values = it stays. */
export interface Phase {
  readonly seconds: number;
  readonly fromPerSecond: number;
  readonly toPerSecond: number;
}
