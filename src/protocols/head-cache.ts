import { checkRequest, type InferPlan } from '../core/check-request.js';
import type { ServedModel } from '../core/served-model.js';
import type { SequenceFlags, TensorSource } from '../types/infer.js';
import type { DataRange } from './data-range.js';
import { HeadTemplate, isPlainId } from './head-template.js';
import type { PreparedReply } from './prepared-reply.js';
import { readSequenceId } from './sequence-id-gap.js';
import { parseInferHead } from './v2-json.js';

/** Heads with more text around their data are parsed each time: they are rare, and would fill the memory. */
const LONGEST_REMEMBERED_BYTES = 4096;
const REMEMBERED_HEADS = 16;

/** A head that fits its model, and what its answers begin with as soon as the first is written. */
export interface PreparedHead {
  readonly plan: InferPlan;
  /** Bytes of each input behind the head, in order; -1 = its data is in the JSON. 0 also where it lies in shared memory of the client. */
  readonly binaryBytes: readonly number[];
  /** Sum of what lies behind the head. */
  readonly bodyBytes: number;
  /** Where the JSON data of the body lies that was prepared last, one per input that has it; valid until the next `prepare`. */
  readonly ranges: readonly DataRange[];
  /** The same for its id; null = it is that of the plan. */
  readonly idRange: DataRange | null;
  /** The same for the id of its sequence. */
  readonly sequenceRange: DataRange | null;
  /** Null = not known yet, or answers differ in more than the elements of their tensors. */
  reply: PreparedReply | null;
}

interface Remembered {
  readonly template: HeadTemplate;
  readonly head: PreparedHead;
}

/**
 * Heads repeat from request to request but for their data and their ids, so one is parsed and checked once per model and known again by the text
 * around its data. One cache per model version: it goes with the model.
 */
export class HeadCache {
  readonly #model: ServedModel;
  readonly #sharedMemory: boolean;
  /** The one that matched last comes first. */
  readonly #heads: Remembered[] = [];

  /** @param sharedMemory tensors may lie in that of clients */
  constructor(model: ServedModel, sharedMemory = false) {
    this.#model = model;
    this.#sharedMemory = sharedMemory;
  }

  /** The head is bytes `begin` to `end` of `body`. Throws ServerErrors of parsing and of the model's checks. */
  prepare(body: Buffer, begin: number, end: number): PreparedHead {
    return this.known(body, begin, end) ?? this.#parse(body, begin, end);
  }

  /** As `prepare`; null = it was not seen before. */
  known(body: Buffer, begin: number, end: number): PreparedHead | null {
    const heads = this.#heads;
    for (let index = 0; index < heads.length; index++) {
      const known = heads[index]!;
      if (!known.template.match(body, begin, end)) continue;
      heads[index] = heads[0]!;
      heads[0] = known;
      return known.head;
    }
    return null;
  }

  #parse(body: Buffer, begin: number, end: number): PreparedHead {
    const id: DataRange = { start: 0, end: 0 };
    const inferHead = parseInferHead(body, begin, end, this.#sharedMemory, id);
    const plan = checkRequest(this.#model.name, this.#model.tensors, inferHead);
    const template = new HeadTemplate(body, begin, end, inferHead, isPlainId(body, id.start, id.end) ? id : null);
    const head = prepareHead(plan, template.ranges, template.id, template.sequenceId);
    if (template.textBytes <= LONGEST_REMEMBERED_BYTES && !hasJsonStrings(plan)) this.#remember({ template, head });
    return head;
  }

  #remember(head: Remembered): void {
    const heads = this.#heads;
    if (heads.length < REMEMBERED_HEADS) heads.push(head);
    else heads[REMEMBERED_HEADS - 1] = head;
  }
}

/** The heads of each model version: they go with it. */
export class HeadCaches {
  readonly #caches = new WeakMap<ServedModel, HeadCache>();
  readonly #sharedMemory: boolean;

  /** @param sharedMemory tensors may lie in that of clients */
  constructor(sharedMemory: boolean) {
    this.#sharedMemory = sharedMemory;
  }

  of(model: ServedModel): HeadCache {
    let cache = this.#caches.get(model);
    if (cache === undefined) {
      cache = new HeadCache(model, this.#sharedMemory);
      this.#caches.set(model, cache);
    }
    return cache;
  }
}

export function prepareHead(
  plan: InferPlan,
  ranges: readonly DataRange[],
  idRange: DataRange | null = null,
  sequenceRange: DataRange | null = null,
): PreparedHead {
  const binaryBytes = plan.inputs.map(({ head }) => bytesBehindHead(head.source));
  const bodyBytes = binaryBytes.reduce((sum, bytes) => sum + Math.max(0, bytes), 0);
  return { plan, binaryBytes, bodyBytes, ranges, idRange, sequenceRange, reply: null };
}

function bytesBehindHead(source: TensorSource): number {
  if (source.kind === 'json') return -1;
  return source.kind === 'binary' ? source.byteSize : 0;
}

/** The plan of a request with this id. */
export function planWithId({ plan }: PreparedHead, id: string): InferPlan {
  if (plan.head.id === id || !plan.isPerId) return plan;
  return { ...plan, head: { ...plan.head, id } };
}

/** The id of the request whose head was prepared last; '' = none. */
export function idOf({ plan, idRange }: PreparedHead, body: Buffer): string {
  return idRange === null ? plan.head.id : body.toString('latin1', idRange.start + 1, idRange.end - 1);
}

/** The sequence of the request whose head was prepared last. */
export function sequenceOf({ plan, sequenceRange }: PreparedHead, body: Buffer): SequenceFlags {
  if (sequenceRange === null) return plan.head;
  const { sequenceStart, sequenceEnd } = plan.head;
  return { sequenceId: readSequenceId(body, sequenceRange), sequenceStart, sequenceEnd };
}

/** A template never matches them. */
function hasJsonStrings(plan: InferPlan): boolean {
  return plan.inputs.some(({ head, datatype }) => head.source.kind === 'json' && datatype === 'BYTES');
}
