import type { InferPlan } from '../core/check-request.js';
import type { ServedModel } from '../core/served-model.js';
import { invalid } from '../types/errors.js';

/** Headers that a model is told as parameters of its request, by lower-case name. Of one given twice the last counts. */
export type ForwardedHeaders = ReadonlyMap<string, string>;

/** Something with headers, which calls back for each (name in lower case). */
type EachHeader = (visit: (name: string, value: string) => void) => void;

/** What has a meaning as a parameter of a request already (fact sheet 1.11). */
const RESERVED = /^(sequence_id|sequence_start|sequence_end|priority|timeout|headers|binary_data_output|triton_.*)$/s;

/** `--http-header-forward-pattern` and `--grpc-header-forward-pattern`: chooses the headers whose name has a match. */
export class HeaderForward {
  readonly #pattern: RegExp;
  #found: Map<string, string> | null = null;

  /** @param pattern neither global nor sticky: it remembers nothing */
  constructor(pattern: RegExp) {
    this.#pattern = pattern;
  }

  ofHttp(exchange: { eachHeader: EachHeader }): ForwardedHeaders | null {
    this.#found = null;
    exchange.eachHeader(this.#visit);
    return this.#found;
  }

  ofGrpc(call: { eachMetadata: EachHeader }): ForwardedHeaders | null {
    this.#found = null;
    call.eachMetadata(this.#visit);
    return this.#found;
  }

  /** Throws INVALID_ARGUMENT for a name that is reserved. */
  readonly #visit = (name: string, value: string): void => {
    if (!this.#pattern.test(name)) return;
    if (RESERVED.test(name)) throw invalid(`Header '${name}' is reserved for Triton usage and cannot be forwarded.`);
    this.#found ??= new Map();
    this.#found.set(name, value);
  };
}

/** The plan of a request with these headers. They come behind the parameters of its body, and so count where both have a name, as in Triton. */
export function planWithHeaders(model: ServedModel, plan: InferPlan, headers: ForwardedHeaders | null): InferPlan {
  if (headers === null || !model.tensors.readsHeads) return plan;
  return { ...plan, head: { ...plan.head, parameters: new Map([...plan.head.parameters, ...headers]) } };
}
