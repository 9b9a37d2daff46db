/** What the page of a search is drawn from: made in Node.js, read in the browser. Times in microseconds, throughput in inferences per second. */
export interface TunePageData {
  readonly model: string;
  readonly startedAt: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Of the latency that decides: `p99`, or `mean`. */
  readonly latencyName: string;
  /** null = none. */
  readonly latencyLimitUs: number | null;
  readonly gridPoints: number;
  readonly isPartial: boolean;
  /** Those that the model has, the load last. `values` of everything else go by them. */
  readonly dimensions: readonly PageDimension[];
  /** Measured with care; the best first, what the model has now where it belongs, or last. */
  readonly configurations: readonly PageConfiguration[];
  /** In the order in which they were measured. */
  readonly trials: readonly PageTrial[];
  /** Of the best, and of what the model has now. */
  readonly curves: readonly PageCurve[];
  /** null = nothing is to be changed. */
  readonly diff: PageDiff | null;
}

export interface PageDimension {
  readonly name: string;
  /** Ascending, all that could be tried. */
  readonly values: readonly PageValue[];
  readonly present: string;
  /** null = nothing is within the limits. */
  readonly best: string | null;
}

export interface PageValue {
  readonly text: string;
  /** The best that was found with it within the limits; null = nothing was. */
  readonly throughput: number | null;
}

export interface PageMeasurement {
  readonly values: readonly string[];
  readonly throughput: number;
  /** null = it failed. */
  readonly latencyUs: number | null;
  /** 0 = it is not known. */
  readonly memoryBytes: number;
  readonly isWithin: boolean;
}

export interface PageConfiguration extends PageMeasurement {
  readonly rank: number | null;
  readonly isPresent: boolean;
  /** Measured again; false = the user ended it before. */
  readonly isConfirmed: boolean;
  readonly isStable: boolean;
}

/** The numbers are those of the second, longer measurement where there was one. */
export interface PageTrial extends PageMeasurement {
  readonly isBest: boolean;
  readonly isPresent: boolean;
  /** As the search saw it. */
  readonly look: { readonly throughput: number; readonly isWithin: boolean };
  /** Of all looks up to this one, within the limits; null = none was. */
  readonly bestSoFar: number | null;
}

export interface PageCurve {
  readonly name: 'best' | 'now';
  /** Ascending by concurrency; those that failed are not among them. */
  readonly points: readonly {
    readonly concurrency: number;
    readonly throughput: number;
    readonly latencyUs: number;
    readonly isWithin: boolean;
  }[];
  /** Of `points`; null = there is none. */
  readonly knee: number | null;
}

export interface PageDiff {
  readonly file: string;
  /** `gap` = lines that are left out. */
  readonly lines: readonly { readonly kind: 'same' | 'added' | 'removed' | 'gap'; readonly text: string }[];
}
