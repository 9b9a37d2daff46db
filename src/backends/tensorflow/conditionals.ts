import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { Attribute, Graph, GraphFunction, GraphNode } from './graph.js';
import { identity, isPivot, parseReference, type Reference } from './reference.js';

type Nodes = Map<string, GraphNode>;

/** What makes one input of a `Merge`, back to the nodes that let values into the branch. */
interface Side {
  readonly input: string;
  readonly nodes: GraphNode[];
  /** Names of those that let values in. */
  readonly entries: Set<string>;
  /** Which of their outputs are used: 1 where the condition holds. */
  readonly ports: Set<number>;
  /** Nodes that say the condition. */
  readonly conditions: Set<string>;
}

const MAX_DEPTH = 64;
/** Identities before a condition. */
const MAX_NAMES = 8;
/** Inputs of the model, and what is left of loops: a branch has none of it. */
const outerOps: ReadonlySet<string> = new Set([
  'Enter',
  'Exit',
  'LoopCond',
  'NextIteration',
  'Placeholder',
  'PlaceholderV2',
]);
/** Branches that have nodes in common are walked once for each output. */
const MAX_VISITS = 4_000_000;

/**
 * The graph with choices of TensorFlow 1, by `Switch` and `Merge`, as `If`. Those that are made otherwise stay as they are.
 *
 * @param fed nodes of the graph that have a value from outside: none is put into a branch
 */
export function raiseConditionals(graph: Graph, fed: ReadonlySet<string>): Graph {
  const functions = new Map(graph.functions);
  const raised = (nodes: Iterable<GraphNode>, outside: ReadonlySet<string>): Nodes =>
    new Raiser(nodes, functions, outside).raise();
  for (const called of graph.functions.values()) {
    if (called.nodes.some(isMerge))
      functions.set(called.name, { ...called, nodes: [...raised(called.nodes, new Set()).values()] });
  }
  const hasSome = [...graph.nodes.values()].some(isMerge);
  return { ...graph, nodes: hasSome ? raised(graph.nodes.values(), fed) : graph.nodes, functions };
}

function isMerge({ op }: GraphNode): boolean {
  return op === 'Merge';
}

class Raiser {
  readonly #nodes: Nodes;
  readonly #functions: Map<string, GraphFunction>;
  readonly #fed: ReadonlySet<string>;
  readonly #seen = new Set<string>();
  #depth = 0;
  #visits = 0;

  constructor(nodes: Iterable<GraphNode>, functions: Map<string, GraphFunction>, fed: ReadonlySet<string>) {
    this.#nodes = new Map(Array.from(nodes, (node) => [node.name, node]));
    this.#functions = functions;
    this.#fed = fed;
  }

  raise(): Nodes {
    for (const node of this.#nodes.values()) if (isMerge(node)) this.#raise(node);
    return this.#nodes;
  }

  /** As it is where it cannot be raised: a choice that is known beforehand needs no `If`. */
  #raise(merge: GraphNode): void {
    if (this.#seen.has(merge.name)) return;
    this.#seen.add(merge.name);
    this.#depth++;
    try {
      this.#replace(merge);
    } catch (error) {
      if (asServerError(error).code === 'INTERNAL') throw error;
    }
    this.#depth--;
  }

  #replace({ name, inputs }: GraphNode): void {
    if (this.#depth > MAX_DEPTH) throw new ServerError('UNSUPPORTED', 'branches in branches');
    const given = inputs.filter((input) => !input.startsWith('^'));
    if (given.length !== 2) throw invalid('not two branches');
    const sides = given.map((input) => this.#side(input)) as [Side, Side];
    const entries = [...new Set(sides.flatMap((side) => [...side.entries]))].map((entry) => this.#nodes.get(entry)!);
    const conditions = [...new Set(sides.flatMap((side) => [...side.conditions]))];
    const taken = takenSide(sides);
    if (conditions.length !== 1 || taken === null) throw invalid('no branches of one condition');
    const args = entries.map((_, i) => `value ${i} of ${name}`);
    const adapters = entries.map((entry, i) => identity(entry.name, [args[i]!, args[i]!]));
    const [yes, no] = [sides[taken]!, sides[1 - taken]!];
    const attributes = {
      then_branch: this.#define(`${name}/then`, args, yes, adapters),
      else_branch: this.#define(`${name}/else`, args, no, adapters),
    };
    const values = entries.map((entry) => entry.inputs[0]!);
    const node = {
      name,
      op: 'If',
      inputs: [conditions[0]!, ...values],
      attributes: new Map(Object.entries(attributes)),
    };
    this.#nodes.set(name, node);
  }

  #side(input: string): Side {
    const side: Side = { input, nodes: [], entries: new Set(), ports: new Set(), conditions: new Set() };
    const seen = new Set<string>();
    const open = [parseReference(input)];
    while (open.length > 0) {
      const reference = open.pop()!;
      const node = this.#at(reference);
      if (node.op === 'Switch') {
        this.#enter(side, node, reference);
        continue;
      }
      if (seen.has(node.name)) continue;
      seen.add(node.name);
      if (++this.#visits > MAX_VISITS) throw new ServerError('UNSUPPORTED', 'too many branches');
      if (!isPivot(node)) side.nodes.push(node);
      open.push(...this.#needed(node));
    }
    return side;
  }

  #at({ node: name }: Reference): GraphNode {
    const node = this.#nodes.get(name);
    if (node !== undefined && isMerge(node)) this.#raise(node);
    const found = this.#nodes.get(name);
    if (this.#fed.has(name)) throw invalid('a node in the branch is an input');
    if (found === undefined || isMerge(found) || outerOps.has(found.op)) throw invalid('not a branch');
    return found;
  }

  #enter(side: Side, { name, inputs }: GraphNode, { port, isControl }: Reference): void {
    if (inputs.length < 2 || inputs[0]!.startsWith('^')) throw invalid('a Switch without inputs');
    if (!isControl) side.ports.add(port);
    if (!isControl) side.entries.add(name);
    side.conditions.add(this.#behind(inputs[1]!));
  }

  /** The condition itself: the nodes of a branch know it by other names. */
  #behind(condition: string): string {
    let found = condition;
    for (let steps = 0; steps < MAX_NAMES; steps++) {
      const node = this.#nodes.get(parseReference(found).node);
      if (node?.op !== 'Identity' || node.inputs.length === 0 || node.inputs[0]!.startsWith('^')) break;
      found = node.inputs[0]!;
    }
    return found;
  }

  #needed(node: GraphNode): Reference[] {
    const references = node.inputs.map(parseReference);
    return references.filter((reference) => !reference.isControl || isPivot(this.#nodes.get(reference.node)));
  }

  #define(name: string, inputs: readonly string[], side: Side, adapters: readonly GraphNode[]): Attribute {
    let free = name;
    while (this.#functions.has(free)) free += '_';
    const returns = new Map([['output', side.input]]);
    const nodes = [...side.nodes, ...adapters];
    this.#functions.set(free, { name: free, inputs, outputs: ['output'], nodes, returns, isInPlace: true });
    return { func: free };
  }
}

/** Where the condition holds; a branch that takes nothing in is the other one. */
function takenSide([a, b]: readonly [Side, Side]): number | null {
  const [first, second] = [a.ports, b.ports];
  if (first.size > 1 || second.size > 1 || first.size + second.size === 0) return null;
  const port = first.size === 1 ? [...first][0]! : 1 - [...second][0]!;
  if (second.size === 1 && second.has(port)) return null;
  return port === 1 ? 0 : 1;
}
