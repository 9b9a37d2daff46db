import { assert } from '../base/assert.js';
import { NO_STATE } from '../memory/layout.js';
import type { FailureReason } from '../telemetry/statistics.js';
import type { ServerError } from '../types/errors.js';
import type { SequenceFlags } from '../types/infer.js';
import type { BatchOutputs } from './batch-outputs.js';

/** Whoever runs a request. */
export interface RequestRunner {
  onCancelled(): void;
  /** There may be room for more answers. */
  onRead(): void;
}

/**
 * What follows an execution that ended well. over: nothing, its last answer is there. open: others say so (`respond`, `reschedule`).
 * again: it is to run again.
 */
export type Sequel = 'over' | 'open' | 'again';

/**
 * A request on its way: accepted, its tensors in shared memory, and owed exactly one of `complete` and `fail`. Schedulers queue
 * it and instances run it by these few numbers; what it answers, and to whom, is known to its maker alone.
 */
export abstract class InferRequest {
  /** Rows it adds to a batch: its batch size, 1 for a model without batching. */
  abstract readonly rows: number;
  /** Requests with different keys never share a batch (shapes and set of inputs). */
  abstract readonly batchKey: string;
  /** As the client wrote it; 0 = the model's default level. */
  abstract readonly priority: number;
  /** As the client wrote it; '' = none. */
  requestId = '';

  /** As the client wrote it; 0 = none. */
  abstract readonly timeoutUs: number;
  /** Byte offset in the arena of its block of rows, or of its own slot. */
  abstract readonly slotOffset: number;
  /** Row in the block; VARIABLE (memory/layout.ts) = it has a slot of its own. */
  abstract readonly row: number;
  /** Matters to models with sequence batching only. */
  abstract readonly sequence: SequenceFlags;
  /** ENTRY_STATE of the ring (memory/layout.ts): the state that it reads and writes; NO_STATE = none. */
  readonly state: number = NO_STATE;
  #cancelled = false;
  #runner: RequestRunner | null = null;
  /** Somebody waits for its answers; else its execution is all that counts. */
  readonly isAwaited: boolean = true;
  /** When the scheduler took it, monotonic microseconds. */
  queuedUs = 0;

  /** Set when the client is gone: skipped before work starts, dropped after. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  set cancelled(isCancelled: boolean) {
    this.#cancelled = isCancelled;
    if (isCancelled) this.#runner?.onCancelled();
  }

  /** Who runs it from now on, and hears of its fate; null = nobody cares. */
  watch(runner: RequestRunner | null): void {
    this.#runner = runner;
  }

  /** To be called when `unread` has fallen. */
  onRead(): void {
    this.#runner?.onRead();
  }

  /** Its rows are `firstRow` and following of `outputs`, its place in the batch `index`. It must release its share of them. */
  abstract complete(outputs: BatchOutputs, index: number, firstRow: number): void;
  abstract fail(error: ServerError, reason: FailureReason): void;

  /** Answers given to `respond` that nobody has read yet: its model waits when there are many. */
  get unread(): number {
    return 0;
  }

  /**
   * An answer of a decoupled model: entry 0 of `outputs`, whose share it must release, or nothing but the news that it is the last. Comes before
   * or after `complete`, which then says no more than that the execution is over, or that it failed; never after the last or `fail`.
   * `outputs.batch.times` are those of this answer: begun at `startUs`, computed at `inferUs`, in memory at `endUs`.
   */
  respond(_outputs: BatchOutputs | null, _isFinal: boolean): void {
    assert(false, 'a model that is not decoupled answered as one that is');
  }

  /** For those who can run it again: to be asked before `complete`, which completes nothing where the sequel is none of 'over'. */
  sequelOf(_outputs: BatchOutputs, _index: number): Sequel {
    return 'over';
  }

  /** A decoupled model asks that it runs again, before or after `complete`, and says no more until it does. Who cannot is over. */
  reschedule(): void {
    this.respond(null, true);
  }

  /** It is queued again, without flags; nobody reads its memory now. */
  runAgain(): void {
    assert(false, 'a request that has one life was queued again');
  }
}
