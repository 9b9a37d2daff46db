import type { InferResponse } from '../core/infer-response.js';
import type { ReplyTensor } from './v2-json-reply.js';

/** The outputs of an answer in the order of its plan, without those that the model did not make. Views, valid until it is released. */
export function replyTensors(response: InferResponse): ReplyTensor[] {
  const tensors: ReplyTensor[] = [];
  response.plan.outputs.forEach(({ binary }, nth) => {
    if (response.hasOutput(nth)) tensors.push({ ...response.output(nth), binary });
  });
  return tensors;
}
