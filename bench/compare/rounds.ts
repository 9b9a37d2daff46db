/** The two revisions: A is what is compared with, B what is asked about. */
export type SideName = 'a' | 'b';

/** Who goes first changes from round to round (A B, B A, A B, ...): what grows or shrinks steadily does not favour one of them. */
export function sidesInOrder(round: number): readonly [SideName, SideName] {
  return round % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
}

/** One thing that is measured on both, and what became of it. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** One per round, the same rounds on both sides. */
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/** What could not be compared. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface Comparison {
  readonly figures: readonly Figure[];
  readonly skipped: readonly Skipped[];
}
