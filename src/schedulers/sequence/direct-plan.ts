/** When the slots of an instance become a batch; from `sequence_batching { direct }` (fact sheet 5.5). */
export interface DirectPolicy {
  /** How long the oldest waiting request may wait for more slots; 0 = nothing ever waits. */
  readonly delayUs: number;
  /** Share of the slots that must have a request for a batch to go before that; 0 = any. */
  readonly minUtilization: number;
}

/** What waits in one slot. */
export interface WaitingSlot {
  /** Slots with different keys never share a batch. */
  readonly key: string;
  readonly queuedUs: number;
}

/**
 * Rows 0 to `rows` - 1 of the next batch are the slots of these numbers (0 = no batch now): those that wait with this key, and fillers for
 * all others. Where the answer is to wait, ask again at `dueUs`.
 */
export interface DirectPlan {
  readonly rows: number;
  readonly key: string;
  readonly dueUs: number;
}

const NOTHING: DirectPlan = { rows: 0, key: '', dueUs: Number.POSITIVE_INFINITY };

/** One pass of Triton's direct sequence batch. Of several keys the one goes that has waited longest, so that none waits for ever. */
export function planDirect(policy: DirectPolicy, slots: readonly (WaitingSlot | null)[], nowUs: number): DirectPlan {
  let oldest: WaitingSlot | null = null;
  let ready = 0;
  for (const slot of slots) {
    if (slot === null) continue;
    ready++;
    if (oldest === null || slot.queuedUs < oldest.queuedUs) oldest = slot;
  }
  if (oldest === null) return NOTHING;
  const { delayUs, minUtilization } = policy;
  const mayWait = delayUs > 0 && minUtilization > 0 && ready / slots.length < minUtilization;
  if (mayWait && nowUs - oldest.queuedUs < delayUs) return { ...NOTHING, dueUs: oldest.queuedUs + delayUs };
  const { key } = oldest;
  return { rows: slots.findLastIndex((slot) => slot?.key === key) + 1, key, dueUs: Number.POSITIVE_INFINITY };
}
