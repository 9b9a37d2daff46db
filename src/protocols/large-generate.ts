import { checkRequest } from '../core/check-request.js';
import type { AcceptedRequest, Responder } from '../core/infer-response.js';
import type { ServedModel } from '../core/served-model.js';
import type { GenerateAnswer } from './generate-reply.js';
import { prepareHead } from './head-cache.js';
import { type JsonPool, LARGE_TENSOR_BYTES, sharedBody } from './json-pool.js';
import type { GenerateForm } from './json-tasks.js';
import { arenaTensor, jsonRanges, jsonTensors } from './large-json.js';

/**
 * Reads a large body of `generate` in another thread. `body` is copied or shared before this returns. The tensors of the request are
 * complete: it is the caller's to submit or to abandon. Rejects with what `parseGenerate`, `checkRequest`, `ServedModel.admit` and
 * `readJsonTensor` throw; nothing is left behind then.
 */
export async function readLargeGenerate(
  pool: JsonPool,
  model: ServedModel,
  body: Buffer,
  maxInputBytes: number,
  responder: Responder,
): Promise<AcceptedRequest> {
  const { length } = body;
  const shared = sharedBody(body);
  const { inputs, maxBatchSize } = model.tensors;
  const asked = { inputs: inputs.map(({ name, datatype, dims }) => ({ name, datatype, dims })), maxBatchSize };
  const { head, sizes } = await pool.parseGenerate({ body: shared, length, model: asked, maxInputBytes });
  const plan = checkRequest(model.name, model.tensors, head);
  const request = model.admit(plan, sizes, responder);
  try {
    const tensors = jsonTensors(request, prepareHead(plan, jsonRanges(head)));
    await pool.read({ body: shared, arena: model.arena.buffer, tensors });
  } catch (error) {
    request.abandon();
    throw error;
  }
  return request;
}

/** It is worth a thread of its own. */
export function isLargeAnswer({ outputs }: GenerateAnswer): boolean {
  return outputs.reduce((bytes, output) => bytes + output.bytes.length, 0) > LARGE_TENSOR_BYTES;
}

/** Writes such an answer. Its outputs lie in `arena` and must not be released before this is settled. */
export function writeLargeAnswer(
  pool: JsonPool,
  { outputs, ...answer }: GenerateAnswer,
  form: GenerateForm,
  arena: SharedArrayBuffer,
): Promise<Uint8Array> {
  return pool.writeGenerate({ answer, form, arena, outputs: outputs.map(arenaTensor) });
}
