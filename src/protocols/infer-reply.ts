import type { InferResponse } from '../core/infer-response.js';
import type { PreparedHead } from './head-cache.js';
import { JSON_ALONE, prepareReply } from './prepared-reply.js';
import { inferResponseHead, inferResponseStart } from './v2-json-reply.js';

/** An answer before it is written. */
export interface InferReply {
  /** Of the JSON in front of the tensors; JSON_ALONE = there is not one byte of them. */
  readonly headBytes: number;
  /** Views into the outputs: valid until the request is released. */
  readonly parts: readonly Uint8Array[];
}

/**
 * Builds an answer of any form, and prepares those that follow where they cannot be of another.
 * @param prepared null = those that follow are not known to be like this one
 */
export function buildReply(response: InferResponse, prepared: PreparedHead | null, id: string): InferReply {
  const { plan, model } = response;
  const outputs = plan.outputs.map((planned, nth) => ({ ...response.output(nth), binary: planned.binary }));
  const rest = inferResponseHead('', model.name, String(model.version), outputs).subarray(1);
  const head = Buffer.concat([inferResponseStart(id), rest]);
  const binary = outputs.filter((output) => output.binary).map((output) => output.bytes);
  if (prepared !== null) prepared.reply = prepareReply(response, outputs, rest);
  return { headBytes: binary.some((bytes) => bytes.length > 0) ? head.length : JSON_ALONE, parts: [head, ...binary] };
}
