import type { Histogram } from 'hdr-histogram-js';

/** What all generators together did between two looks at them. Times in microseconds unless their name says otherwise. */
export interface Window {
  /** `performance.timeOrigin + performance.now()` of its beginning and its end. */
  readonly beginMs: number;
  readonly endMs: number;
  /** Requests with a good final answer. */
  readonly requests: number;
  /** Good answers of the model; more or fewer than requests where it is decoupled. */
  readonly responses: number;
  /** Of good requests: from when it left, or with an open load should have left, to its last answer. */
  readonly latencyUs: Histogram;
  /** To its first answer, where the model is decoupled, and from each answer to the next; empty else. */
  readonly firstResponseUs: Histogram;
  readonly betweenResponsesUs: Histogram;
  /** Requests that failed, by `Failure.kind`, with the first message of each. */
  readonly failures: ReadonlyMap<string, FailureCount>;
  /** Open load: requests that left more than `LATE_US` after they were due, and by how much. */
  readonly late: number;
  readonly lateUs: Histogram;
  /** Open load: requests that are due and have not left at the end of the window. */
  readonly backlog: number;
  /** Sums over the requests: time spent in sending; from the first to the last byte of the answer. */
  readonly sendUs: number;
  readonly receiveUs: number;
  /** CPU time of the generators' threads. */
  readonly cpuUs: number;
  readonly threads: number;
  /** Sequences that ended. */
  readonly sequences: number;
  /** What happened when, in pieces of `PIECE_MS` from `beginMs` on. */
  readonly pieces: readonly Piece[];
}

export interface FailureCount {
  readonly count: number;
  readonly message: string;
}

export interface Piece {
  readonly requests: number;
  readonly failures: number;
  /** Sum and greatest of the latencies of `requests`. */
  readonly sumUs: number;
  readonly maxUs: number;
}

export const LATE_US = 1000;
export const PIECE_MS = 100;
