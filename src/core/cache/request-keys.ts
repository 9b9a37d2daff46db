import { createHash } from 'node:crypto';
import type { InferPlan } from '../check-request.js';
import type { AcceptedRequest } from '../infer-response.js';
import type { ModelTensors } from '../model-tensors.js';

/** What the keys of all requests with one plan have in common. */
interface KeyStart {
  readonly text: string;
  /** The inputs of the plan in the order of their names. */
  readonly order: readonly number[];
}

/**
 * The keys of requests to one load of a model: a hash over what the model is, names, datatypes, shapes and bytes of the inputs, in the order of their
 * names, and the outputs that are asked for. Strings count by their serialised bytes. 256 bits of SHA-2: an answer is never that of another request,
 * not even where somebody tries.
 */
export class RequestKeys {
  readonly #tensors: ModelTensors;
  #scope: string;
  #starts = new WeakMap<InferPlan, KeyStart>();

  /** @param scope names the model, its version and what it is made of */
  constructor(scope: string, tensors: ModelTensors) {
    this.#scope = scope;
    this.#tensors = tensors;
  }

  /** The model answers differently from now on. */
  rescope(scope: string): void {
    this.#scope = scope;
    this.#starts = new WeakMap();
  }

  /** Reads the inputs where they lie. */
  keyOf(request: AcceptedRequest): string {
    const { plan } = request;
    const { text, order } = this.#startOf(plan);
    const { bytes } = request.model.arena;
    const hash = createHash('sha256').update(text);
    for (const nth of order) {
      const size = request.inputBytes(nth);
      // What has no fixed size could end elsewhere.
      if (plan.inputs[nth]!.bytes < 0) hash.update(`${size}:`);
      const begin = request.inputBegin(nth);
      hash.update(bytes.subarray(begin, begin + size));
    }
    return hash.digest('base64url');
  }

  #startOf(plan: InferPlan): KeyStart {
    let start = this.#starts.get(plan);
    if (start === undefined) {
      start = keyStart(this.#scope, plan, this.#tensors.readsHeads);
      this.#starts.set(plan, start);
    }
    return start;
  }
}

/** @param readsHeads the model is told the parameters of its requests, and may answer by them */
function keyStart(scope: string, plan: InferPlan, readsHeads: boolean): KeyStart {
  const nameOf = (nth: number) => plan.inputs[nth]!.head.name;
  const order = [...plan.inputs.keys()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const inputs = order.map((nth) => {
    const { head, datatype } = plan.inputs[nth]!;
    return [head.name, datatype, head.shape];
  });
  const outputs = plan.outputs.map(({ index, classCount }) => [index, classCount]);
  const parameters = readsHeads ? [...plan.head.parameters].sort(([a], [b]) => (a < b ? -1 : 1)) : [];
  return { text: JSON.stringify([scope, inputs, outputs, parameters], integerText), order };
}

function integerText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { integer: String(value) } : value;
}
