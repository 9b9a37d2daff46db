import { checkRequest } from '../core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../core/infer-response.js';
import type { ClientRegions } from '../core/regions/client-regions.js';
import { admitWithRegions } from '../core/regions/region-request.js';
import type { ServedModel } from '../core/served-model.js';
import type { InferHead, OutputTensor, ParameterValue } from '../types/infer.js';
import type { DataRange } from './data-range.js';
import { type PreparedHead, prepareHead } from './head-cache.js';
import { type ForwardedHeaders, planWithHeaders } from './header-forward.js';
import type { InferReply } from './infer-reply.js';
import { type JsonPool, LARGE_TENSOR_BYTES, sharedBody } from './json-pool.js';
import type { JsonTensor } from './json-tasks.js';
import { JSON_ALONE } from './prepared-reply.js';
import { replyTensors } from './reply-tensors.js';
import { Scatter } from './scatter.js';

/** What is needed beside the body. */
interface LargeParts {
  readonly pool: JsonPool;
  readonly regions: ClientRegions;
  /** Null = none. */
  readonly forwarded: ForwardedHeaders | null;
}

export interface LargeRequest {
  readonly prepared: PreparedHead;
  /** Its tensors are complete; it is the caller's to submit or to abandon. */
  readonly request: AcceptedRequest;
}

/**
 * Reads a request whose JSON part, the first `headBytes` bytes of `body`, is large: in another thread. `body` is copied or shared before
 * this returns. Rejects with what `HeadCache.prepare`, `check`, `Model.admit` and `readJsonTensor` throw; nothing is left behind then.
 */
export async function readLargeJson(
  { pool, regions, forwarded }: LargeParts,
  model: ServedModel,
  body: Buffer,
  headBytes: number,
  check: (prepared: PreparedHead) => void,
  responder: Responder,
): Promise<LargeRequest> {
  const { length } = body;
  const shared = sharedBody(body);
  const { head, stringBytes } = await pool.parse({ body: shared, length: headBytes, sharedMemory: regions.isAllowed });
  const plan = checkRequest(model.name, model.tensors, head);
  const prepared = prepareHead(plan, jsonRanges(head));
  check(prepared);
  const sizes = plan.inputs.map(({ bytes, head: { source } }, nth) => {
    if (source.kind !== 'json') return source.byteSize;
    return bytes >= 0 ? bytes : stringBytes[nth]!;
  });
  const request = admitWithRegions(regions, model, planWithHeaders(model, plan, forwarded), sizes, responder);
  try {
    writeBinary(request, prepared, Buffer.from(shared, headBytes, length - headBytes));
    await pool.read({ body: shared, arena: model.arena.buffer, tensors: jsonTensors(request, prepared) });
  } catch (error) {
    request.abandon();
    throw error;
  }
  return { prepared, request };
}

/** The JSON of its answer is worth a thread of its own. */
export function hasLargeJson(response: InferResponse): boolean {
  let bytes = 0;
  for (const [nth, { binary, classCount }] of response.plan.outputs.entries()) {
    if (classCount > 0) return false;
    if (!binary && response.hasOutput(nth)) bytes += response.outputBytes(nth);
  }
  return bytes > LARGE_TENSOR_BYTES;
}

/** Builds such an answer, which must not be released before this is settled. */
export async function writeLargeJson(
  pool: JsonPool,
  response: InferResponse,
  id: string,
  parameters: ReadonlyMap<string, ParameterValue> | null,
): Promise<InferReply> {
  const { model } = response;
  const outputs = replyTensors(response);
  const text = await pool.write({
    id,
    model: model.name,
    version: String(model.version),
    arena: model.arena.buffer,
    outputs: outputs.map(arenaTensor),
    parameters,
  });
  const binary = outputs.filter((output) => output.binary).map(({ bytes }) => bytes.slice());
  return { headBytes: binary.length > 0 ? text.length : JSON_ALONE, parts: [text, ...binary] };
}

/** A tensor that lies in the arena, as other threads find it. */
export function arenaTensor<Output extends OutputTensor>({ bytes, ...output }: Output) {
  return { ...output, begin: bytes.byteOffset, length: bytes.length };
}

export function jsonRanges(head: InferHead): DataRange[] {
  return head.inputs.flatMap(({ source }) => (source.kind === 'json' ? [source] : []));
}

function writeBinary(request: AcceptedRequest, prepared: PreparedHead, rest: Buffer): void {
  const scatter = new Scatter();
  scatter.begin(request, prepared);
  scatter.write(rest, 0);
}

export function jsonTensors(request: AcceptedRequest, { plan, ranges, binaryBytes }: PreparedHead): JsonTensor[] {
  const nths = binaryBytes.flatMap((bytes, nth) => (bytes < 0 ? [nth] : []));
  return nths.map((nth, index) => {
    const { head, datatype, elements } = plan.inputs[nth]!;
    return { range: ranges[index]!, name: head.name, datatype, elements, begin: request.inputBegin(nth) };
  });
}
