import type { ExecutionTimes } from '../backends/batch-outputs.js';

/** What a request has waited, and what each step of its executions has taken: microseconds, added up. */
export interface SpentTimes {
  readonly queueUs: number;
  readonly inputUs: number;
  readonly inferUs: number;
  readonly outputUs: number;
}

export const NOTHING_SPENT: SpentTimes = { queueUs: 0, inputUs: 0, inferUs: 0, outputUs: 0 };

/** With one more execution, of a request that was queued at `queuedUs`. */
export function spentWith(before: SpentTimes, queuedUs: number, times: ExecutionTimes): SpentTimes {
  const { startUs, inputsUs, inferUs, endUs } = times;
  return {
    queueUs: before.queueUs + Math.max(0, startUs - queuedUs),
    inputUs: before.inputUs + inputsUs - startUs,
    inferUs: before.inferUs + inferUs - inputsUs,
    outputUs: before.outputUs + endUs - inferUs,
  };
}
