import type { ExecutedBatch } from '../backends/batch-outputs.js';
import type { CloseReason } from '../telemetry/close-reasons.js';
import type { ParameterValue } from '../types/infer.js';

/** The parameter that asks for an explanation, and that has it, as JSON. */
export const EXPLAIN = 'conch_explain';

/** Where the time of one request to a model went, in microseconds, and with whom it ran. */
export interface ModelExplanation {
  readonly model: string;
  readonly version: string;
  readonly instance: string;
  /** From when its data was complete until the batch began. */
  readonly queue_us: number;
  /** Of the whole batch, like the two below: to put the inputs together, to run the model, to write the outputs. */
  readonly input_us: number;
  readonly infer_us: number;
  readonly output_us: number;
  /** From the end of the batch until this was written. */
  readonly answer_us: number;
  readonly total_us: number;
  readonly batch: {
    /** Those of requests, its own among them. */
    readonly rows: number;
    readonly requests: number;
    /** Those that clients gave, its own among them. */
    readonly ids: readonly string[];
    /** More rows, of zeros, where slots of a model with sequences had nothing to run; absent = none. */
    readonly filler_rows?: number;
    /** Why it had no more rows: the reasons of conch_batches_closed_total. */
    readonly reason: CloseReason;
  };
}

export interface EnsembleExplanation {
  readonly model: string;
  readonly version: string;
  readonly total_us: number;
  /** In the order in which they ended. */
  readonly steps: readonly Explanation[];
}

export type Explanation = ModelExplanation | EnsembleExplanation;

/** What is explained; times are monotonic microseconds. */
export interface ExplainedRequest {
  readonly model: { readonly name: string; readonly version: number; readonly nowUs: number };
  readonly arrivedUs: number;
}

export function explainExecution({ model, arrivedUs }: ExplainedRequest, batch: ExecutedBatch): ModelExplanation {
  const { startUs, inputsUs, inferUs, endUs } = batch.times;
  const now = model.nowUs;
  return {
    model: model.name,
    version: String(model.version),
    instance: batch.instance,
    queue_us: whole(startUs - arrivedUs),
    input_us: whole(inputsUs - startUs),
    infer_us: whole(inferUs - inputsUs),
    output_us: whole(endUs - inferUs),
    answer_us: whole(now - endUs),
    total_us: whole(now - arrivedUs),
    batch: companyIn(batch),
  };
}

/** Fillers have one row each, and are nobody. */
function companyIn({ requests, entries, rows, reason }: ExecutedBatch): ModelExplanation['batch'] {
  const company = requests.slice(0, entries).filter(({ isAwaited }) => isAwaited);
  const ids = company.map(({ requestId }) => requestId).filter((id) => id !== '');
  const fillers = entries - company.length;
  return {
    rows: rows - fillers,
    requests: company.length,
    ids,
    ...(fillers > 0 && { filler_rows: fillers }),
    reason,
  };
}

export function explainSteps(
  { model, arrivedUs }: ExplainedRequest,
  steps: readonly Explanation[],
): EnsembleExplanation {
  return { model: model.name, version: String(model.version), total_us: whole(model.nowUs - arrivedUs), steps };
}

/** The parameters of an answer, and its explanation beside them. */
export function withExplanation(
  parameters: ReadonlyMap<string, ParameterValue> | null,
  explanation: Explanation,
): ReadonlyMap<string, ParameterValue> {
  return new Map([...(parameters ?? []), [EXPLAIN, JSON.stringify(explanation)]]);
}

/** Never below 0: the clocks of two threads are read one after the other. */
function whole(us: number): number {
  return Math.max(0, Math.round(us));
}
