import type { CloseReason } from '../../telemetry/close-reasons.js';
import type { OpenBatch } from '../batch-plan.js';

/** When the slots of an instance become a batch; from `sequence_batching { direct }` (fact sheet 5.5). */
export interface DirectPolicy {
  /** How long the oldest waiting request may wait for more slots; 0 = nothing ever waits. */
  readonly delayUs: number;
  /** Share of the slots that must have a request for a batch to go before that; 0 = any. */
  readonly minUtilization: number;
}

/** What waits in the slots of an instance. */
export interface WaitingSlots {
  readonly length: number;
  /** Slots with different keys never share a batch; null = nothing waits that the next batch could have. */
  keyAt(slot: number): string | null;
  queuedUsAt(slot: number): number;
}

/**
 * Rows 0 to `rows` - 1 of the batch are the slots of these numbers (0 = no batch now, or the open one stays as it is): those that wait with this
 * key, and fillers for all others. Where the answer is to wait, ask again at `dueUs`, or when as many requests as are `missing` have
 * come: with fewer it is the same.
 */
export interface DirectPlan {
  readonly rows: number;
  readonly key: string;
  readonly dueUs: number;
  readonly missing: number;
  /** Why slots that may have requests are not in the batch, or do not join the open one; null = none wait. */
  readonly reason: CloseReason | null;
}

const NOTHING: DirectPlan = { rows: 0, key: '', dueUs: Number.POSITIVE_INFINITY, missing: 1, reason: null };

/**
 * One pass of Triton's direct sequence batch. Of several keys the one goes that has waited longest, so that none waits for ever. A batch that
 * is open was to go: what can join it does.
 */
export function planDirect(policy: DirectPolicy, slots: WaitingSlots, open: OpenBatch, nowUs: number): DirectPlan {
  if (open.rows > 0) return planJoin(slots, open);
  let oldestUs = Number.POSITIVE_INFINITY;
  let key = '';
  let ready = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    const slotKey = slots.keyAt(slot);
    if (slotKey === null) continue;
    ready++;
    const queuedUs = slots.queuedUsAt(slot);
    if (queuedUs >= oldestUs) continue;
    oldestUs = queuedUs;
    key = slotKey;
  }
  if (ready === 0) return NOTHING;
  const { delayUs, minUtilization } = policy;
  const mayWait = delayUs > 0 && minUtilization > 0 && ready / slots.length < minUtilization;
  if (mayWait && nowUs - oldestUs < delayUs) {
    const missing = Math.max(1, Math.floor(minUtilization * slots.length) - ready);
    return { ...NOTHING, dueUs: oldestUs + delayUs, missing };
  }
  const reason = hasOther(slots, key) ? 'shape_changed' : mayWait ? 'delay' : null;
  return { ...NOTHING, rows: rowsWith(slots, key), key, reason };
}

function planJoin(slots: WaitingSlots, { rows, key }: OpenBatch): DirectPlan {
  const joining = rowsWith(slots, key);
  const reason = hasOther(slots, key) ? 'shape_changed' : null;
  return joining === 0 ? { ...NOTHING, reason } : { ...NOTHING, rows: Math.max(rows, joining), key, reason };
}

/** Something waits with another key. */
function hasOther(slots: WaitingSlots, key: string): boolean {
  for (let slot = 0; slot < slots.length; slot++) {
    const slotKey = slots.keyAt(slot);
    if (slotKey !== null && slotKey !== key) return true;
  }
  return false;
}

/** Up to the last slot that waits with this key; 0 = none does. */
function rowsWith(slots: WaitingSlots, key: string): number {
  let rows = slots.length;
  while (rows > 0 && slots.keyAt(rows - 1) !== key) rows--;
  return rows;
}
