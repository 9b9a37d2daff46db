/** What is printed instead of anything done. */
export interface Printed {
  readonly kind: 'print';
  readonly text: string;
  readonly stream: 'stdout' | 'stderr';
  readonly exitCode: number;
}

/** A command line that cannot be understood; 1 is for what a command found. */
export const USAGE_EXIT_CODE = 2;
