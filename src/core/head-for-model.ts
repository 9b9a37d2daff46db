import type { ParameterValue, SequenceFlags, SequenceId } from '../types/infer.js';
import type { InferPlan } from './check-request.js';
import type { ModelTensors } from './model-tensors.js';

/** What JSON has no number for. */
type Exact<Value> = Exclude<Value, bigint> | { readonly bigint: string } | { readonly number: string };

/** What a request says beside its tensors, as a model written in code reads it. What it does not say is absent. */
export interface HeadForModel {
  readonly id?: string;
  readonly priority?: number;
  readonly timeoutUs?: number;
  readonly sequenceId?: Exact<SequenceId>;
  readonly sequenceStart?: true;
  readonly sequenceEnd?: true;
  /** Names of the outputs that it asks for; absent = all. */
  readonly outputs?: readonly string[];
  readonly parameters?: Readonly<Record<string, Exact<ParameterValue>>>;
}

/** The head as JSON; null = it says nothing, or nothing that its model reads. */
export function headForModel(tensors: ModelTensors, plan: InferPlan, sequence: SequenceFlags): Buffer | null {
  if (!tensors.readsHeads) return null;
  const { id, priority, timeoutUs, parameters } = plan.head;
  const { sequenceId, sequenceStart, sequenceEnd } = sequence;
  const head: Record<string, unknown> = {};
  if (id !== '') head.id = id;
  if (priority !== 0) head.priority = priority;
  if (timeoutUs !== 0) head.timeoutUs = timeoutUs;
  if (sequenceId !== 0 && sequenceId !== '') head.sequenceId = exact(sequenceId);
  if (sequenceStart) head.sequenceStart = true;
  if (sequenceEnd) head.sequenceEnd = true;
  if (plan.head.outputs.length > 0) head.outputs = plan.head.outputs.map(({ name }) => name);
  if (parameters.size > 0)
    head.parameters = Object.fromEntries([...parameters].map(([key, value]) => [key, exact(value)]));
  const text = JSON.stringify(head satisfies HeadForModel);
  return text === '{}' ? null : Buffer.from(text);
}

function exact<Value>(value: Value): Exact<Value> {
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) };
  return value as Exact<Value>;
}
