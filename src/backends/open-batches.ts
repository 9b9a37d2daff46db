import type { Slot } from '../memory/arena.js';
import { RING_BATCHES } from '../memory/layout.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import type { InferRequest } from './request.js';

/** Why a batch has no more requests, as far as is known while it may still grow. */
export class Closing {
  #usual: CloseReason = 'idle_instance';
  /** What it is by itself: `preferred` or `delay`. */
  #own: CloseReason | null = null;
  /** `full` or `shape_changed`: what keeps the next request out. */
  #obstacle: CloseReason | null = null;

  /** @param usual `idle_instance` or `end_of_queue`. @param reason what says more than that; null = nothing does */
  begin(usual: CloseReason, reason: CloseReason | null): void {
    this.#usual = usual;
    this.change(reason);
  }

  /** Its requests are others: what was known of it is over. */
  change(reason: CloseReason | null): void {
    this.#own = null;
    this.#obstacle = null;
    if (reason !== null) this.note(reason);
  }

  note(reason: CloseReason): void {
    if (reason === 'full' || reason === 'shape_changed') this.#obstacle = reason;
    else this.#own = reason;
  }

  /** Nobody is kept out any more. @param isFull it has all the rows that it may have, whoever waits */
  admit(isFull: boolean): void {
    if (!isFull || this.#obstacle === 'shape_changed') this.#obstacle = null;
  }

  get reason(): CloseReason {
    return this.#obstacle ?? this.#own ?? this.#usual;
  }
}

/** The main thread's side of one batch in the ring. Reused; `requests` beyond `count` are stale. */
export class BatchRecord {
  readonly requests: InferRequest[] = [];
  count = 0;
  rows = 0;
  key = '';
  readonly closing = new Closing();
  /** Reserved for the outputs; replaced when the worker needs more. */
  slot: Slot | null = null;

  push(request: InferRequest): void {
    this.requests[this.count++] = request;
    this.rows += request.rows;
  }

  /** Has the first `count` of these from now on. */
  become(requests: readonly InferRequest[], count: number): void {
    this.count = 0;
    this.rows = 0;
    for (let index = 0; index < count; index++) this.push(requests[index]!);
  }

  clear(): void {
    this.requests.length = 0;
    this.count = 0;
    this.rows = 0;
    this.slot = null;
  }
}

/** One record per place of the ring, found by the batch's number. */
export class BatchRecords {
  readonly #records = Array.from({ length: RING_BATCHES }, () => new BatchRecord());

  at(sequence: number): BatchRecord {
    return this.#records[sequence % RING_BATCHES]!;
  }

  /** Takes the record out, so that its place can be used again while the requests are answered. */
  detach(sequence: number): BatchRecord {
    const record = this.at(sequence);
    this.#records[sequence % RING_BATCHES] = new BatchRecord();
    return record;
  }
}
