/** Answers with what it is told of a request beside its tensors, as JSON, and gives the parameters back as those of its answer. */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(describe);
}

/** @param {ModelRequest} request */
function describe(request) {
  const { id, priority, timeoutUs, sequenceId, sequenceStart, sequenceEnd } = request;
  const parameters = Object.fromEntries(request.parameters);
  const text = JSON.stringify(
    { id, parameters, priority, timeoutUs, sequenceId, sequenceStart, sequenceEnd },
    (_, value) => (typeof value === 'bigint' ? String(value) : value),
  );
  for (const [name, value] of request.parameters)
    request.setParameter(name, typeof value === 'bigint' ? String(value) : value);
  request.output('text_output', [request.rows, 1], Array(request.rows).fill(text));
}
