import type { InferResponse } from '../core/infer-response.js';
import type { ParameterValue } from '../types/infer.js';
import type { PreparedHead } from './head-cache.js';
import { JSON_ALONE, prepareReply } from './prepared-reply.js';
import { replyTensors } from './reply-tensors.js';
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
export function buildReply(
  response: InferResponse,
  prepared: PreparedHead | null,
  id: string,
  parameters: ReadonlyMap<string, ParameterValue> | null = response.parameters,
): InferReply {
  const { model } = response;
  const outputs = replyTensors(response);
  const rest = inferResponseHead('', model.name, String(model.version), outputs, parameters).subarray(1);
  const head = Buffer.concat([inferResponseStart(id), rest]);
  const binary = outputs.filter((output) => output.binary).map((output) => output.bytes);
  if (prepared !== null && parameters === null) prepared.reply = prepareReply(response, outputs, rest);
  return { headBytes: binary.some((bytes) => bytes.length > 0) ? head.length : JSON_ALONE, parts: [head, ...binary] };
}
