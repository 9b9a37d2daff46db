/** A version that could not be loaded. */
export interface LoadFailure {
  readonly version: number;
  /** As the index shows it. */
  readonly reason: string;
}

/**
 * refused: its configuration or its folder is of no use. unfit: its steps do not let it serve. outdated: something else was asked for
 * meanwhile.
 */
export type Outcome =
  | { readonly kind: 'served' | 'outdated' }
  | { readonly kind: 'refused' | 'unfit'; readonly problem: string }
  | { readonly kind: 'failed'; readonly failures: readonly LoadFailure[] };
