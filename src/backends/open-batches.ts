import type { Slot } from '../memory/arena.js';
import { RING_BATCHES } from '../memory/layout.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import type { InferRequest } from './request.js';

/** The main thread's side of one batch in the ring. Reused; `requests` beyond `count` are stale. */
export class BatchRecord {
  readonly requests: InferRequest[] = [];
  count = 0;
  rows = 0;
  key = '';
  /** Why it has no more requests, as far as is known: it may still grow. */
  reason: CloseReason = 'idle_instance';
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
