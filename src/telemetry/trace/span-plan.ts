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
const model: ReadonlySet<Activity> = new Set(['REQUEST_START', 'QUEUE_START', 'REQUEST_END']);
/** Of a step or a call, which have no span of a protocol. */
const inner: ReadonlySet<Activity> = new Set([...model, 'INFER_RESPONSE_COMPLETE']);

/**
 * Fact sheet 8.3: `InferRequest` has what the protocol saw, below it is a span for each model, and in that one for its computation. Ours, which
 * Triton has not: `queue`, from when the request waits until it runs. Null = nothing was stamped.
 */
export function planSpans(root: Trace): SpanPlan | null {
  const events = root.stamps.filter(({ activity }) => !compute.has(activity) && !model.has(activity));
  return plan('InferRequest', {}, events, [planModel(root, model)]);
}

function planModel(trace: Trace, own: ReadonlySet<Activity>): SpanPlan | null {
  const events = trace.stamps.filter(({ activity }) => own.has(activity));
  const computed = trace.stamps.filter(({ activity }) => compute.has(activity));
  const children = [
    planQueue(trace.stamps),
    plan('compute', {}, computed, []),
    ...trace.children.map((child) => planModel(child, inner)),
  ];
  return plan(trace.modelName, attributesOf(trace), events, children);
}

/** Null = it never waited, or never ran. */
function planQueue(stamps: readonly Stamp[]): SpanPlan | null {
  const start = stamps.find(({ activity }) => activity === 'QUEUE_START');
  const end = stamps.find(({ activity }) => activity === 'COMPUTE_START');
  if (start === undefined || end === undefined) return null;
  const endNs = Math.max(start.ns, end.ns);
  return { name: 'queue', startNs: start.ns, endNs, attributes: {}, events: [], children: [] };
}

/** From the first to the last of what happens in it; null = nothing does. */
function plan(
  name: string,
  attributes: SpanPlan['attributes'],
  stamps: readonly Stamp[],
  spans: readonly (SpanPlan | null)[],
): SpanPlan | null {
  const children = spans.filter((span) => span !== null);
  if (stamps.length === 0 && children.length === 0) return null;
  const events = [...stamps].sort((a, b) => a.ns - b.ns);
  const startNs = Math.min(...events.map(({ ns }) => ns), ...children.map((child) => child.startNs));
  const endNs = Math.max(...events.map(({ ns }) => ns), ...children.map((child) => child.endNs));
  return { name, startNs, endNs, attributes, events, children };
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
