/** Who watches a run while it goes on. */
export interface Progress {
  /** @param of how many loads there are; null = it depends on what they bring */
  begin(name: string, index: number, of: number | null): void;
  tick(moment: Moment): void;
  /** Nothing more comes. */
  close(): void;
}

export interface Moment {
  readonly stage: 'warm-up' | 'window';
  /** From 1 on. */
  readonly window: number;
  /** Of the warm-up or the window, 0 to 1. */
  readonly fraction: number;
  /** Answers of the last moments, failed ones among them. */
  readonly answersPerSecond: number;
  /** Of the last window's last piece; 0 = there is none yet. */
  readonly meanUs: number;
}

export const silentProgress: Progress = { begin() {}, tick() {}, close() {} };
