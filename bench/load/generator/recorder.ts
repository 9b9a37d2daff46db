import { encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { newHistogram } from '../measure/histogram.js';
import { type FailureCount, LATE_US, PIECE_MS } from '../measure/window.js';
import type { Failure } from '../wires/wire.js';

/** A `Window` of one thread as it is posted: histograms in HdrHistogram's encoding, times as `Window` has them. */
export interface PostedWindow {
  readonly beginMs: number;
  readonly endMs: number;
  readonly requests: number;
  readonly responses: number;
  /** '' = empty. */
  readonly latencyUs: string;
  readonly firstResponseUs: string;
  readonly betweenResponsesUs: string;
  readonly lateUs: string;
  readonly failures: ReadonlyMap<string, FailureCount>;
  readonly backlog: number;
  readonly sendUs: number;
  readonly receiveUs: number;
  readonly sequences: number;
  readonly pieces: PostedPieces;
}

/** `Piece`, by columns. */
export interface PostedPieces {
  readonly requests: readonly number[];
  readonly failures: readonly number[];
  readonly sumUs: readonly number[];
  readonly maxUs: readonly number[];
}

/** Counts what happens to the requests of a thread. Times it is given are those of `performance.now()`, in milliseconds. */
export class Recorder {
  #beginMs = 0;
  /** When a request was answered last, or failed. */
  #lastMs = 0;
  #requests = 0;
  #responses = 0;
  #sequences = 0;
  #sendMs = 0;
  #receiveMs = 0;
  readonly #latencyUs = newHistogram();
  readonly #firstResponseUs = newHistogram();
  readonly #betweenResponsesUs = newHistogram();
  readonly #lateUs = newHistogram();
  #failures = new Map<string, { count: number; readonly message: string }>();
  #pieces = new Pieces();

  begin(nowMs: number): void {
    this.#clear();
    this.#beginMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** A request left at `sentMs`, which took until `nowMs`; it was due at `dueMs`. */
  sent(dueMs: number, sentMs: number, nowMs: number): void {
    this.#sendMs += nowMs - sentMs;
    const lateUs = (sentMs - dueMs) * 1000;
    if (lateUs > LATE_US) this.#lateUs.recordValue(Math.round(lateUs));
  }

  /** A good answer of the model; its first byte came at `firstByteMs`. */
  answered(firstByteMs: number, nowMs: number): void {
    this.#responses++;
    this.#receiveMs += nowMs - firstByteMs;
  }

  firstResponse(ms: number): void {
    this.#firstResponseUs.recordValue(microseconds(ms));
  }

  nextResponse(ms: number): void {
    this.#betweenResponsesUs.recordValue(microseconds(ms));
  }

  /** A request has all its answers, all of them good. */
  succeeded(latencyMs: number, nowMs: number): void {
    this.#requests++;
    this.#lastMs = nowMs;
    const latencyUs = microseconds(latencyMs);
    this.#latencyUs.recordValue(latencyUs);
    this.#pieces.succeeded(nowMs - this.#beginMs, latencyUs);
  }

  failed({ kind, message }: Failure, nowMs: number): void {
    this.#lastMs = nowMs;
    const known = this.#failures.get(kind);
    if (known === undefined) this.#failures.set(kind, { count: 1, message });
    else known.count++;
    this.#pieces.failed(nowMs - this.#beginMs);
  }

  sequenceEnded(): void {
    this.#sequences++;
  }

  /** Since the last time; its beginning where none was. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** What happened since the last time. */
  take(nowMs: number, backlog: number): PostedWindow {
    const window: PostedWindow = {
      beginMs: performance.timeOrigin + this.#beginMs,
      endMs: performance.timeOrigin + nowMs,
      requests: this.#requests,
      responses: this.#responses,
      latencyUs: encoded(this.#latencyUs),
      firstResponseUs: encoded(this.#firstResponseUs),
      betweenResponsesUs: encoded(this.#betweenResponsesUs),
      lateUs: encoded(this.#lateUs),
      failures: this.#failures,
      backlog,
      sendUs: this.#sendMs * 1000,
      receiveUs: this.#receiveMs * 1000,
      sequences: this.#sequences,
      pieces: this.#pieces,
    };
    this.begin(nowMs);
    return window;
  }

  #clear(): void {
    this.#requests = 0;
    this.#responses = 0;
    this.#sequences = 0;
    this.#sendMs = 0;
    this.#receiveMs = 0;
    for (const histogram of [this.#latencyUs, this.#firstResponseUs, this.#betweenResponsesUs, this.#lateUs])
      histogram.reset();
    this.#failures = new Map();
    this.#pieces = new Pieces();
  }
}

class Pieces implements PostedPieces {
  readonly requests: number[] = [];
  readonly failures: number[] = [];
  readonly sumUs: number[] = [];
  readonly maxUs: number[] = [];

  succeeded(sinceBeginMs: number, latencyUs: number): void {
    const index = this.#at(sinceBeginMs);
    this.requests[index]!++;
    this.sumUs[index]! += latencyUs;
    if (latencyUs > this.maxUs[index]!) this.maxUs[index] = latencyUs;
  }

  failed(sinceBeginMs: number): void {
    const index = this.#at(sinceBeginMs);
    this.failures[index]!++;
  }

  #at(sinceBeginMs: number): number {
    const index = Math.floor(sinceBeginMs / PIECE_MS);
    while (this.requests.length <= index) {
      for (const column of [this.requests, this.failures, this.sumUs, this.maxUs]) column.push(0);
    }
    return index;
  }
}

function microseconds(ms: number): number {
  return Math.max(1, Math.round(ms * 1000));
}

function encoded(histogram: Histogram): string {
  return histogram.totalCount === 0 ? '' : encodeIntoCompressedBase64(histogram);
}
