import type { InferResponse } from '../../core/infer-response.js';
import { invalid } from '../../types/errors.js';
import { replyTensors } from '../reply-tensors.js';
import type { GrpcCall, PartsHolder } from './engine.js';
import type { IdBytes } from './id-bytes.js';
import type { PreparedInfer } from './infer-reader.js';
import { ID, INFER_RESPONSE, RAW_OUTPUT_CONTENTS, writeResponseHead } from './infer-response.js';
import { type PreparedReplies, ReplyTemplate } from './reply-template.js';
import { WireWriter } from './wire-writer.js';

export const LARGEST_COPIED_REPLY = 64 * 1024;
const LARGEST_MESSAGE = 2_147_483_647;

/** `parts` are views into the outputs: valid until the request is released. */
export interface BuiltReply {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
}

/** The only message of a call, or one of those of a stream. */
export type AnswerForm = 'unary' | 'stream';

/**
 * Sends the answer to `response`, prepared where the first of its kind has been seen. True = its outputs are free; false = views of
 * them are on their way, until `holder` is told. Throws INVALID_ARGUMENT for what no message can hold.
 */
export function sendAnswer(
  call: GrpcCall,
  form: AnswerForm,
  prepared: PreparedInfer,
  response: InferResponse,
  id: IdBytes,
  holder: PartsHolder,
): boolean {
  const template = repliesOf(prepared, response)?.[form] ?? null;
  if (template === null || !template.write(response, id)) {
    return sendBuilt(call, form, buildReply(prepared, response, id, form === 'stream'), holder);
  }
  if (form === 'stream') call.send(template.bytes, template.begin, template.end);
  else call.reply(template.bytes, template.begin, template.end);
  return true;
}

/** Sends small messages as a copy. True = the parts are free, as of `sendAnswer`. */
export function sendBuilt(
  call: GrpcCall,
  form: AnswerForm,
  { parts, bytes }: BuiltReply,
  holder: PartsHolder,
): boolean {
  const isCopied = bytes <= LARGEST_COPIED_REPLY;
  if (isCopied) {
    const message = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    if (form === 'stream') call.send(message);
    else call.reply(message);
  } else if (form === 'stream') call.sendParts(parts, holder);
  else call.replyParts(parts, holder);
  return isCopied;
}

/** Null = none are known, or another model has answered in the place of the one that was asked. */
function repliesOf({ model, replies }: PreparedInfer, response: InferResponse): PreparedReplies | null {
  return response.model === model ? replies : null;
}

/** Builds an answer of any form, and prepares those that follow where they cannot be of another. */
function buildReply(prepared: PreparedInfer, response: InferResponse, id: IdBytes, isStream: boolean): BuiltReply {
  const outputs = replyTensors(response);
  const replies = repliesOf(prepared, response);
  if (replies !== null) replies[isStream ? 'stream' : 'unary'] = ReplyTemplate.of(response, outputs, isStream);
  const writer = new WireWriter();
  writeResponseHead(writer, response, outputs, isStream);
  const parts: Uint8Array[] = [];
  for (const { bytes } of outputs) {
    parts.push(Buffer.from(writer.header(RAW_OUTPUT_CONTENTS, bytes.length).view), bytes);
    writer.clear();
  }
  if (id.length > 0) writer.bytes(ID, id.view);
  parts.push(Buffer.from(writer.view));
  return isStream ? wrapped(parts) : bounded(parts);
}

function wrapped(parts: readonly Uint8Array[]): BuiltReply {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return bounded([new WireWriter().header(INFER_RESPONSE, length).view, ...parts]);
}

/** Throws INVALID_ARGUMENT where they are more than a message may be. */
export function bounded(parts: readonly Uint8Array[]): BuiltReply {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes <= LARGEST_MESSAGE) return { parts, bytes };
  throw invalid(`Response has byte size ${bytes} which exceeds gRPC's byte size limit ${LARGEST_MESSAGE}.`);
}
