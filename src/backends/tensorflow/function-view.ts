import { invalid } from '../../types/errors.js';
import type { GraphFunction, GraphNode } from './graph.js';
import { dataInputs, parseReference, type Reference } from './reference.js';

/** A function to look around in. */
export class FunctionView {
  readonly #called: GraphFunction;
  readonly #nodes: ReadonlyMap<string, GraphNode>;
  readonly #places: ReadonlyMap<string, number>;
  readonly #sources = new Map<string, Reference>();

  constructor(called: GraphFunction) {
    this.#called = called;
    this.#nodes = new Map(called.nodes.map((node) => [node.name, node]));
    this.#places = new Map(called.inputs.map((name, i) => [name, i]));
  }

  /** Of an argument. */
  name(place: number): string {
    return this.#called.inputs[place] ?? '';
  }

  /** Where its outputs come from. */
  get returns(): Reference[] {
    return this.#called.outputs.map((output) => {
      const text = this.#called.returns.get(output);
      if (text === undefined) throw invalid(`function '${this.#called.name}' does not say what '${output}' is`);
      return parseReference(text);
    });
  }

  /** Behind nodes that change nothing. */
  source(reference: Reference): Reference {
    const passed: string[] = [];
    let at = reference;
    for (let steps = 0; steps <= this.#nodes.size; steps++) {
      const known = this.#sources.get(keyOf(at));
      const next = known ?? this.#behind(at);
      if (next === null) break;
      passed.push(keyOf(at));
      at = next;
      if (known !== undefined) break;
    }
    for (const key of passed) this.#sources.set(key, at);
    return at;
  }

  #behind({ node: name, port }: Reference): Reference | null {
    const node = this.#places.has(name) ? undefined : this.#nodes.get(name);
    if (node?.op !== 'Identity' && node?.op !== 'IdentityN') return null;
    return dataInputs(node)[port] ?? null;
  }

  /** Which argument it is; -1 = none. */
  argument(reference: Reference): number {
    return this.#places.get(this.source(reference).node) ?? -1;
  }

  /** What makes it; undefined for an argument. */
  node(reference: Reference): GraphNode | undefined {
    const { node } = this.source(reference);
    return this.#places.has(node) ? undefined : this.#nodes.get(node);
  }

  /** How often each value is used by nodes that do something with it. */
  uses(): Uses {
    const counts = new Map<string, number>();
    for (const node of this.#nodes.values()) {
      if (node.op === 'Identity' || node.op === 'IdentityN') continue;
      for (const input of dataInputs(node)) {
        const key = keyOf(this.source(input));
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    return { of: (reference) => counts.get(keyOf(this.source(reference))) ?? 0 };
  }
}

export interface Uses {
  of(reference: Reference): number;
}

function keyOf({ node, port }: Reference): string {
  return `${port} ${node}`;
}
