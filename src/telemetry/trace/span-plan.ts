import type { Activity, Stamp, Trace } from './trace.js';

/** A span to be: pure data. Times are nanoseconds of the monotonic clock. */
export interface SpanPlan {
  readonly name: string;
  readonly startNs: number;
  readonly endNs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly events: readonly Stamp[];
  readonly children: readonly SpanPlan[];
}

const compute: ReadonlySet<Activity> = new Set([
  'COMPUTE_START',
  'COMPUTE_INPUT_END',
  'COMPUTE_OUTPUT_START',
  'COMPUTE_END',
]);
const model: ReadonlySet<Activity> = new Set([
  'REQUEST_START',
  'QUEUE_START',
  'REQUEST_END',
  'INFER_RESPONSE_COMPLETE',
]);

/**
 * Fact sheet 8.3: `InferRequest` has what the protocol saw, below it is a span for each model, and in that one for its computation. Ours, which
 * Triton has not: `queue`, from when the request waits until it runs.
 */
export function planSpans(root: Trace): SpanPlan {
  const below = planModel(root);
  const events = root.stamps.filter(({ activity }) => !compute.has(activity) && !model.has(activity));
  return { name: 'InferRequest', ...span(events, [below]), attributes: {} };
}

function planModel(trace: Trace): SpanPlan {
  const events = trace.stamps.filter(({ activity }) => model.has(activity));
  const computed = trace.stamps.filter(({ activity }) => compute.has(activity));
  const queue = planQueue(trace.stamps);
  const children = [
    ...(queue === null ? [] : [queue]),
    ...(computed.length === 0 ? [] : [{ name: 'compute', ...span(computed, []), attributes: {} }]),
    ...trace.children.map(planModel),
  ];
  return { name: trace.modelName, ...span(events, children), attributes: attributesOf(trace) };
}

/** Null = it never waited, or never ran. */
function planQueue(stamps: readonly Stamp[]): SpanPlan | null {
  const start = stamps.find(({ activity }) => activity === 'QUEUE_START');
  const end = stamps.find(({ activity }) => activity === 'COMPUTE_START');
  if (start === undefined || end === undefined) return null;
  return { name: 'queue', startNs: start.ns, endNs: end.ns, attributes: {}, events: [], children: [] };
}

/** From the first to the last of what happens in it. */
function span(events: readonly Stamp[], children: readonly SpanPlan[]) {
  const starts = [...events.map(({ ns }) => ns), ...children.map(({ startNs }) => startNs)];
  const ends = [...events.map(({ ns }) => ns), ...children.map(({ endNs }) => endNs)];
  if (starts.length === 0) return { startNs: 0, endNs: 0, events, children };
  return { startNs: Math.min(...starts), endNs: Math.max(...ends), events, children };
}

function attributesOf({ modelName, modelVersion, id, parent, requestId }: Trace): Record<string, string | number> {
  return {
    'triton.model_name': modelName,
    'triton.model_version': modelVersion,
    'triton.trace_id': id,
    'triton.trace_parent_id': parent?.id ?? 0,
    ...(requestId === '' ? {} : { 'triton.request_id': requestId }),
  };
}
