import type { CloseReason } from '../telemetry/close-reasons.js';

/** When requests become a batch; from `dynamic_batching` (fact sheet 5.2). */
export interface BatchPolicy {
  /** Rows a batch may have: max_batch_size, at least 1. */
  readonly maxRows: number;
  /** Sizes to aim at, ascending, not empty; [maxRows] when none are configured. */
  readonly preferred: readonly number[];
  /** How long the oldest request may wait for a preferred size; 0 = nothing ever waits. */
  readonly delayUs: number;
  /** Each request is an execution of its own: a model without dynamic batching. */
  readonly single: boolean;
}

/** The requests that wait, in the order they will be served. */
export interface PendingView {
  readonly length: number;
  rowsAt(index: number): number;
  keyAt(index: number): string;
}

/** The batch that may still grow; rows 0 = a new one would be begun. */
export interface OpenBatch {
  readonly rows: number;
  readonly key: string;
}

export const NOTHING_OPEN: OpenBatch = { rows: 0, key: '' };

/** Take so many pending requests now (0 = none); where the answer is to wait, ask again after `waitUs` (-1 = when something changes). */
export interface BatchPlan {
  readonly take: number;
  readonly waitUs: number;
  /** Why no more are taken; null = no more are there. */
  readonly reason: CloseReason | null;
}

const NOTHING: BatchPlan = { take: 0, waitUs: -1, reason: null };

/**
 * One pass of Triton's dynamic batcher (`DynamicBatchScheduler::GetDynamicBatch`), as a pure function.
 * @param oldestAgeUs how long the oldest pending request has waited
 */
export function planBatch(policy: BatchPolicy, open: OpenBatch, pending: PendingView, oldestAgeUs: number): BatchPlan {
  if (pending.length === 0) return NOTHING;
  if (policy.single) return open.rows === 0 ? planSingle(policy, pending) : NOTHING;
  const walk = walkPending(policy, open, pending);
  const isDue = policy.delayUs === 0 || oldestAgeUs >= policy.delayUs;
  if (walk.best >= 0 && (policy.delayUs === 0 || !isDue)) {
    return { take: walk.best, waitUs: -1, reason: walk.best === walk.taken ? walk.closing : 'preferred' };
  }
  if (walk.taken === 0) return NOTHING;
  if (walk.isFull || isDue) {
    const reason = walk.closing ?? (policy.delayUs > 0 ? 'delay' : null);
    return { take: walk.taken, waitUs: -1, reason };
  }
  return { take: 0, waitUs: policy.delayUs - oldestAgeUs, reason: null };
}

/** Whoever waits behind it cannot join. */
function planSingle({ maxRows }: BatchPolicy, pending: PendingView): BatchPlan {
  const isFull = pending.length > 1 || (maxRows > 1 && pending.rowsAt(0) === maxRows);
  return { take: 1, waitUs: -1, reason: isFull ? 'full' : null };
}

interface Walk {
  /** Pending requests that fit together. */
  taken: number;
  /** Pending requests up to the last preferred size; -1 = none was met. */
  best: number;
  /** Nothing more can join: send now. */
  isFull: boolean;
  /** Why the next does not join, or would not; null = there is none. */
  closing: CloseReason | null;
}

function walkPending(policy: BatchPolicy, open: OpenBatch, pending: PendingView): Walk {
  const { preferred, maxRows } = policy;
  const largest = preferred[preferred.length - 1]!;
  const walk: Walk = { taken: 0, best: -1, isFull: false, closing: null };
  let rows = open.rows;
  let { key } = open;
  for (; walk.taken < pending.length; walk.taken++) {
    const more = pending.rowsAt(walk.taken);
    if (rows > 0 && rows + more > largest && walk.best < 0) walk.best = walk.taken;
    walk.isFull = rows > 0 && (rows + more > maxRows || pending.keyAt(walk.taken) !== key);
    if (walk.isFull) {
      walk.closing = rows + more > maxRows ? 'full' : 'shape_changed';
      return walk;
    }
    if (rows === 0) key = pending.keyAt(walk.taken);
    rows += more;
    if (preferred.includes(rows)) walk.best = walk.taken + 1;
  }
  walk.isFull = rows >= largest;
  if (rows === maxRows) walk.closing = 'full';
  else if (walk.best === walk.taken) walk.closing = 'preferred';
  return walk;
}
