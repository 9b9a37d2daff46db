import type { ModelRequest } from '../../core/model-request.js';
import { inferResponseHead } from '../v2-json-reply.js';
import type { HttpExchange } from './engine.js';
import type { PreparedHead, PreparedReply } from './head-cache.js';
import { copyBytes } from './scatter.js';

/** Answers up to this size are put together here and copied once more by the socket; larger ones are sent as views. */
const SMALL_REPLY_BYTES = 64 * 1024;
const scratch = new Uint8Array(SMALL_REPLY_BYTES);

const JSON_ONLY = ['Content-Type', 'application/json'] as const;

/** An answer before it is written. `parts` are views into the outputs: valid until the request is released. */
export interface InferReply {
  readonly headers: readonly string[];
  readonly parts: readonly Uint8Array[];
}

/**
 * Sends an answer whose head is known, the shortest way. True = it is sent and the outputs are free; false = views are on their
 * way: the request must be held until the exchange ends.
 */
export function sendPrepared(exchange: HttpExchange, request: ModelRequest, reply: PreparedReply): boolean {
  if (reply.bytes > SMALL_REPLY_BYTES) {
    exchange.send(200, reply.headers, [reply.head, ...views(request)]);
    return false;
  }
  copyBytes(reply.head, 0, scratch, 0, reply.head.length);
  let at = reply.head.length;
  const { arena } = request.model;
  for (let nth = 0; nth < request.plan.outputs.length; nth++) {
    const bytes = request.outputBytes(nth);
    copyBytes(arena.bytes, request.outputBegin(nth), scratch, at, bytes);
    at += bytes;
  }
  exchange.reply(200, reply.headers, scratch.subarray(0, at));
  return true;
}

/** Builds an answer of any form, and notes its head where all later ones will begin the same. */
export function buildReply(request: ModelRequest, prepared: PreparedHead): InferReply {
  const { plan, model } = request;
  const outputs = plan.outputs.map((planned, nth) => ({ ...request.output(nth), binary: planned.binary }));
  const head = inferResponseHead(plan.head.id, model.name, String(model.version), outputs);
  const binary = outputs.filter((output) => output.binary).map((output) => output.bytes);
  const bodyBytes = binary.reduce((sum, bytes) => sum + bytes.length, 0);
  if (bodyBytes === 0) return { headers: JSON_ONLY, parts: [head] };
  const headers = ['Content-Type', 'application/octet-stream', 'Inference-Header-Content-Length', String(head.length)];
  if (isRepeatable(request)) prepared.reply = { head: Uint8Array.from(head), headers, bytes: head.length + bodyBytes };
  return { headers, parts: [head, ...binary] };
}

function isRepeatable(request: ModelRequest): boolean {
  return request.plan.outputs.every(
    (output) => output.binary && output.classCount === 0 && request.model.tensors.outputs[output.index]!.rowBytes > 0,
  );
}

function views(request: ModelRequest): Uint8Array[] {
  const { arena } = request.model;
  return request.plan.outputs.map((_, nth) => {
    const begin = request.outputBegin(nth);
    return arena.bytes.subarray(begin, begin + request.outputBytes(nth));
  });
}
