/** Over one of them is a named refusal, never growth. */
export interface RequestLimits {
  /** Any request body: 413. */
  readonly maxBodyBytes: number;
  /** All header lines together: 431; the request line by itself: 414; all trailer lines together: 431. */
  readonly maxHeaderBytes: number;
  /** Header lines, and trailer lines: 431. */
  readonly maxHeaderCount: number;
}
