import type { InferResponse } from '../core/infer-response.js';
import type { ReplyTensor } from './v2-json-reply.js';

const NOTHING = new Uint8Array(0);

/** The outputs of an answer in the order of its plan, without those that the model did not make. Views, valid until it is released. */
export function replyTensors(response: InferResponse): ReplyTensor[] {
  const tensors: ReplyTensor[] = [];
  const { outputs, head, usesRegions } = response.plan;
  outputs.forEach(({ binary }, nth) => {
    if (!response.hasOutput(nth)) return;
    const output = response.output(nth);
    const isElsewhere = usesRegions && head.outputs[nth]?.shared != null;
    tensors.push(isElsewhere ? { ...output, bytes: NOTHING, binary: true, isElsewhere } : { ...output, binary });
  });
  return tensors;
}
