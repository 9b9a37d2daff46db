/** Answers what a request says beside its tensors, as JSON, with the first number of its input. */

/** @import { Batch } from '../../../../workers/javascript/model-api.js' */

/** What JSON has no number for, as a text. */
const exact = (/** @type {unknown} */ value) => {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
};

/** @param {Batch} batch */
export function execute(batch) {
  for (const request of batch.requests) {
    const { id, priority, timeoutUs, sequenceId, requestedOutputs, parameters } = request;
    const said = { id, priority, timeoutUs, sequenceId: exact(sequenceId), requestedOutputs };
    const others = Object.fromEntries([...parameters].map(([name, value]) => [name, exact(value)]));
    const number = request.input('INPUT0')?.data[0];
    const text = JSON.stringify({ ...said, parameters: others, number });
    request.output('HEAD', [request.rows, 1], Array(request.rows).fill(text));
    if (requestedOutputs.includes('OTHER')) request.output('OTHER', [request.rows, 1]);
  }
}
