import { checkRequest, type InferPlan } from '../../core/check-request.js';
import type { Model } from '../../core/model.js';
import { parseInferHead } from '../v2-json.js';

/** Longer heads are parsed each time: they are rare, and their texts would fill the memory. */
const LONGEST_REMEMBERED_BYTES = 4096;
const REMEMBERED_HEADS = 1024;

/** A head that fits its model, and what its answers begin with as soon as the first is written. */
export interface PreparedHead {
  readonly plan: InferPlan;
  /** Bytes of each input behind the head, in order; -1 = its data is in the JSON. */
  readonly binaryBytes: readonly number[];
  /** Sum of what lies behind the head. */
  readonly bodyBytes: number;
  /** Only where every answer has the same head: fixed shapes, all binary, nothing classified. */
  reply: PreparedReply | null;
}

export interface PreparedReply {
  readonly head: Uint8Array;
  readonly headers: readonly string[];
  /** Head and tensors together. */
  readonly bytes: number;
}

/**
 * Heads repeat from request to request, so one that carries no data is parsed and checked once per model and found by its text.
 * One cache per model version: it goes with the model.
 */
export class HeadCache {
  readonly #model: Model;
  readonly #heads = new Map<string, PreparedHead>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** The head is the first `length` bytes of `body`. Throws ServerErrors of parsing and of the model's checks. */
  prepare(body: Buffer, length: number): PreparedHead {
    if (length > LONGEST_REMEMBERED_BYTES) return this.#parse(body, length);
    const text = body.toString('latin1', 0, length);
    const known = this.#heads.get(text);
    if (known !== undefined) return known;
    const head = this.#parse(body, length);
    if (head.binaryBytes.every((bytes) => bytes >= 0)) this.#remember(text, head);
    return head;
  }

  #parse(body: Buffer, length: number): PreparedHead {
    const plan = checkRequest(this.#model.name, this.#model.tensors, parseInferHead(body, 0, length));
    return prepareHead(plan);
  }

  /** Heads with an id of their own never repeat; when they have filled the cache it starts anew. */
  #remember(text: string, head: PreparedHead): void {
    if (this.#heads.size >= REMEMBERED_HEADS) this.#heads.clear();
    this.#heads.set(text, head);
  }
}

export function prepareHead(plan: InferPlan): PreparedHead {
  const binaryBytes = plan.inputs.map(({ head }) => (head.source.kind === 'json' ? -1 : head.source.byteSize));
  const bodyBytes = binaryBytes.reduce((sum, bytes) => sum + Math.max(0, bytes), 0);
  return { plan, binaryBytes, bodyBytes, reply: null };
}
