import type { ExecutionTimes } from '../backends/batch-outputs.js';
import { tensorText } from '../telemetry/trace/tensor-text.js';
import type { TensorRecord, Trace } from '../telemetry/trace/trace.js';
import type { DataType } from '../types/datatype.js';
import type { Shape } from '../types/tensor.js';
import type { InferPlan } from './check-request.js';
import type { InferResponse } from './infer-response.js';

/** What is written in the trace of a request to one model. Times are monotonic microseconds. */
export interface TracedRequest {
  readonly plan: InferPlan;
  readonly arrivedUs: number;
  /** 0 = it was never queued. */
  readonly queuedUs: number;
  readonly model: { readonly arena: { readonly bytes: Uint8Array }; readonly nowUs: number };
  inputBegin(nth: number): number;
  inputBytes(nth: number): number;
}

/** The request is over. @param times of its last execution; null = it never ran */
export function traceExecution(trace: Trace, request: TracedRequest, times: ExecutionTimes | null): void {
  const { arrivedUs, queuedUs, model } = request;
  trace.stamp('REQUEST_START', nanoseconds(arrivedUs));
  if (queuedUs > 0) trace.stamp('QUEUE_START', nanoseconds(queuedUs));
  if (times !== null) {
    trace.stamp('COMPUTE_START', nanoseconds(times.startUs));
    trace.stamp('COMPUTE_INPUT_END', nanoseconds(times.inputsUs));
    trace.stamp('COMPUTE_OUTPUT_START', nanoseconds(times.inferUs));
    trace.stamp('COMPUTE_END', nanoseconds(times.endUs));
    for (const { activity, tensor } of [...trace.tensors]) {
      if (activity === 'TENSOR_QUEUE_INPUT') trace.tensors.push({ activity: 'TENSOR_BACKEND_INPUT', tensor });
    }
  }
  trace.stamp('REQUEST_END', nanoseconds(model.nowUs));
  trace.end();
}

/** Its data is complete. Does nothing below level TENSORS. */
export function traceInputs(trace: Trace, request: Omit<TracedRequest, 'arrivedUs' | 'queuedUs'>): void {
  if (!trace.hasTensors) return;
  const { bytes } = request.model.arena;
  for (const [nth, { head, datatype }] of request.plan.inputs.entries()) {
    const begin = request.inputBegin(nth);
    const data = bytes.subarray(begin, begin + request.inputBytes(nth));
    trace.tensors.push(record('TENSOR_QUEUE_INPUT', head.name, datatype, head.shape, data));
  }
}

/** As `traceInputs`, for an answer that was not released. */
export function traceOutputs(trace: Trace, response: InferResponse, outputs: readonly TracedOutput[]): void {
  if (!trace.hasTensors || response.isEmpty) return;
  const { bytes } = response.model.arena;
  for (const [nth, { index }] of response.plan.outputs.entries()) {
    if (!response.hasOutput(nth)) continue;
    const { name, datatype } = outputs[index]!;
    const begin = response.outputBegin(nth);
    const data = bytes.subarray(begin, begin + response.outputBytes(nth));
    trace.tensors.push(record('TENSOR_BACKEND_OUTPUT', name, datatype, response.outputShape(nth), data));
  }
}

interface TracedOutput {
  readonly name: string;
  readonly datatype: DataType;
}

function record(
  activity: TensorRecord['activity'],
  name: string,
  dtype: DataType,
  shape: Shape,
  data: Uint8Array,
): TensorRecord {
  return { activity, tensor: { name, data: tensorText(dtype, data), shape: shape.join(), dtype } };
}

/** Microseconds with a fraction -> whole nanoseconds. */
export function nanoseconds(us: number): number {
  return Math.round(us * 1000);
}
