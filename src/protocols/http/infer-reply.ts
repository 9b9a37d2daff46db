import type { ModelRequest } from '../../core/model-request.js';
import { inferResponseHead } from '../v2-json-reply.js';
import type { PreparedHead } from './head-cache.js';
import { binaryHeaders, JSON_ONLY, prepareReply } from './prepared-reply.js';

/** An answer before it is written. `parts` are views into the outputs: valid until the request is released. */
export interface InferReply {
  readonly headers: readonly string[];
  readonly parts: readonly Uint8Array[];
}

/** Builds an answer of any form, and prepares those that follow where they cannot be of another. */
export function buildReply(request: ModelRequest, prepared: PreparedHead): InferReply {
  const { plan, model } = request;
  const outputs = plan.outputs.map((planned, nth) => ({ ...request.output(nth), binary: planned.binary }));
  const head = inferResponseHead(plan.head.id, model.name, String(model.version), outputs);
  const binary = outputs.filter((output) => output.binary).map((output) => output.bytes);
  const headers = binary.some((bytes) => bytes.length > 0) ? binaryHeaders(head.length) : JSON_ONLY;
  prepared.reply = prepareReply(request, outputs, head, headers);
  return { headers, parts: [head, ...binary] };
}
