import { asServerError, invalid, ServerError } from '../../types/errors.js';
import type { Attribute, Graph, GraphFunction, GraphNode } from './graph.js';
import { dataInputs, identity, isPivot, parseReference, type Reference } from './reference.js';

type Nodes = Map<string, GraphNode>;

/** TensorFlow 1 has a loop as nodes that send values round: what it is made of, by names. */
interface Frame {
  /** The node that says whether there is another turn. */
  readonly condition: string;
  /** Of each variable: where it comes in and goes round. */
  readonly merges: string[];
  /** Where a variable goes into a turn or out of the loop: places of variables by names. */
  readonly switches: Map<string, number>;
  /** Behind the loop. */
  readonly exits: Map<string, number>;
  state: 'new' | 'open' | 'done' | 'failed';
}

/** Nodes of a loop's condition or body, and what comes in from outside. */
interface Part {
  readonly nodes: GraphNode[];
  readonly entries: Set<string>;
}

const MAX_DEPTH = 64;
const NOTHING: ReadonlyMap<string, Attribute> = new Map();

/** The graph with all loops as `While`. A node that leaves a loop that cannot be one stays, and the graph says why. */
export function raiseLoops(graph: Graph): Graph {
  const functions = new Map(graph.functions);
  const reasons = new Map<string, string>();
  const raised = (nodes: Iterable<GraphNode>): Nodes => new Raiser(nodes, functions, reasons).raise();
  for (const called of graph.functions.values()) {
    if (called.nodes.some(isCondition))
      functions.set(called.name, { ...called, nodes: [...raised(called.nodes).values()] });
  }
  const hasLoops = [...graph.nodes.values()].some(isCondition);
  return { nodes: hasLoops ? raised(graph.nodes.values()) : graph.nodes, functions, reasons };
}

function isCondition({ op }: GraphNode): boolean {
  return op === 'LoopCond';
}

class Raiser {
  readonly #nodes: Nodes;
  readonly #functions: Map<string, GraphFunction>;
  readonly #reasons: Map<string, string>;
  readonly #frames = new Map<string, Frame>();
  readonly #frameOfExit = new Map<string, Frame>();
  /** Whose each node is: else a loop in many loops would be walked as often. */
  readonly #owners = new Map<string, Frame>();
  #depth = 0;

  constructor(nodes: Iterable<GraphNode>, functions: Map<string, GraphFunction>, reasons: Map<string, string>) {
    this.#nodes = new Map(Array.from(nodes, (node) => [node.name, node]));
    this.#functions = functions;
    this.#reasons = reasons;
  }

  raise(): Nodes {
    this.#findFrames();
    for (const frame of this.#frames.values()) this.#raise(frame);
    return this.#nodes;
  }

  #findFrames(): void {
    for (const node of this.#nodes.values()) {
      if (!isCondition(node)) continue;
      const frame: Frame = { condition: node.name, merges: [], switches: new Map(), exits: new Map(), state: 'new' };
      this.#frames.set(node.name, frame);
    }
    const places = new Map<string, number>();
    for (const { name, op, inputs } of this.#nodes.values()) {
      if (op !== 'Switch' || inputs.length < 2) continue;
      const frame = this.#frames.get(parseReference(inputs[1]!).node);
      if (frame === undefined) continue;
      const merge = parseReference(inputs[0]!).node;
      const place = places.get(merge) ?? frame.merges.push(merge) - 1;
      places.set(merge, place);
      frame.switches.set(name, place);
    }
    for (const { name, op, inputs } of this.#nodes.values()) {
      if (op === 'Exit' && inputs.length > 0) this.#addExit(name, parseReference(inputs[0]!).node);
    }
  }

  #addExit(exit: string, from: string): void {
    const [, condition] = this.#nodes.get(from)?.inputs ?? [];
    const frame = condition === undefined ? undefined : this.#frames.get(parseReference(condition).node);
    const place = frame?.switches.get(from);
    if (frame === undefined || place === undefined) return;
    frame.exits.set(exit, place);
    this.#frameOfExit.set(exit, frame);
  }

  #raise(frame: Frame): void {
    if (frame.state !== 'new') return;
    frame.state = 'open';
    this.#depth++;
    try {
      this.#replace(frame);
      frame.state = 'done';
    } catch (error) {
      this.#giveUp(frame, asServerError(error).message);
    }
    this.#depth--;
  }

  #giveUp(frame: Frame, reason: string): void {
    frame.state = 'failed';
    for (const name of frame.exits.keys()) {
      this.#nodes.set(name, { name, op: 'Exit', inputs: [], attributes: NOTHING });
      this.#reasons.set(name, reason);
    }
  }

  #replace(frame: Frame): void {
    if (this.#depth > MAX_DEPTH) throw new ServerError('UNSUPPORTED', `loops in loops deeper than ${MAX_DEPTH}`);
    const name = frame.condition;
    const variables = frame.merges.map((merge) => this.#variable(merge));
    const frameName = textOf(variables[0]?.enter, 'frame_name');
    if (variables.some(({ enter }) => textOf(enter, 'frame_name') !== frameName)) throw invalid('a loop of two frames');
    const goesOn = this.#nodes.get(name)!.inputs.slice(0, 1);
    const turns = variables.map(({ next }) => next.inputs[0] ?? '');
    const cond = this.#part(frame, goesOn, frameName);
    const body = this.#part(frame, turns, frameName);
    const entries = [...new Set([...cond.entries, ...body.entries])].map((entry) => this.#nodes.get(entry)!);
    const args = [...variables, ...entries].map((_, i) => `variable ${i} of ${name}`);
    const stays = args.slice(variables.length);
    const adapters = this.#adapters(frame, args, entries);
    const functions = {
      cond: this.#define(`${name}/cond`, args, goesOn, [...cond.nodes, ...adapters]),
      body: this.#define(`${name}/body`, args, [...turns, ...stays], [...body.nodes, ...adapters]),
    };
    const inputs = [...variables.map(({ enter }) => enter), ...entries].map((enter) => firstInput(enter));
    this.#nodes.set(name, { name, op: 'While', inputs, attributes: new Map(Object.entries(functions)) });
    for (const [exit, place] of frame.exits) this.#nodes.set(exit, identity(exit, [`${name}:${place}`]));
  }

  #variable(merge: string): { enter: GraphNode; next: GraphNode } {
    const node = this.#nodes.get(merge);
    const made = node?.op === 'Merge' ? dataInputs(node).map((reference) => this.#nodes.get(reference.node)) : [];
    const enter = made.find((other) => other?.op === 'Enter');
    const next = made.find((other) => other?.op === 'NextIteration');
    if (made.length === 2 && enter !== undefined && next !== undefined) return { enter, next };
    throw invalid(`'${merge}' does not bring a variable of the loop in and round`);
  }

  /** What the results need, back to the variables and to what comes in. */
  #part(frame: Frame, results: readonly string[], frameName: string): Part {
    const part: Part = { nodes: [], entries: new Set() };
    const isVariable = new Set([...frame.merges, ...frame.switches.keys()]);
    const seen = new Set<string>();
    const open = results.map((result) => parseReference(result).node);
    while (open.length > 0) {
      const name = open.pop()!;
      if (seen.has(name) || isVariable.has(name)) continue;
      seen.add(name);
      const node = this.#inner(frame, name);
      if (node.op === 'Enter') {
        if (textOf(node, 'frame_name') !== frameName) throw invalid(`'${name}' is of another loop`);
        part.entries.add(name);
        continue;
      }
      part.nodes.push(node);
      for (const { node: needed } of this.#needed(node)) open.push(needed);
    }
    return part;
  }

  /** A node of a loop, with loops within it raised. */
  #inner(frame: Frame, name: string): GraphNode {
    const other = this.#frameOfExit.get(name);
    if (other?.state === 'open') throw invalid(`the loop runs into itself at '${name}'`);
    if (other !== undefined) this.#raise(other);
    const node = this.#nodes.get(name);
    if (node === undefined) throw invalid(`the graph has no node '${name}'`);
    if (node.op === 'NextIteration' || node.op === 'LoopCond') throw invalid(`'${name}' is of another loop`);
    const owner = this.#owners.get(name) ?? frame;
    if (owner !== frame && node.op !== 'Const') throw invalid(`'${name}' is in two loops`);
    this.#owners.set(name, frame);
    return node;
  }

  #needed(node: GraphNode): Reference[] {
    return node.inputs
      .map(parseReference)
      .filter((reference) => !reference.isControl || isPivot(this.#nodes.get(reference.node)));
  }

  /** Arguments by the names that the nodes of a turn know them by. */
  #adapters(frame: Frame, args: readonly string[], entries: readonly GraphNode[]): GraphNode[] {
    const merges = frame.merges.map((merge, i) => identity(merge, [args[i]!]));
    const switches = Array.from(frame.switches, ([name, i]) => identity(name, [args[i]!, args[i]!]));
    const inputs = entries.map(({ name }, i) => identity(name, [args[frame.merges.length + i]!]));
    return [...merges, ...switches, ...inputs];
  }

  #define(name: string, inputs: readonly string[], results: readonly string[], nodes: readonly GraphNode[]): Attribute {
    let free = name;
    while (this.#functions.has(free)) free += '_';
    const outputs = results.map((_, i) => `output ${i}`);
    const returns = new Map(outputs.map((output, i) => [output, results[i]!]));
    this.#functions.set(free, { name: free, inputs, outputs, nodes, returns, isInPlace: true });
    return { func: free };
  }
}

function firstInput({ name, inputs }: GraphNode): string {
  const [first] = inputs;
  if (first !== undefined && !first.startsWith('^')) return first;
  throw invalid(`'${name}' brings nothing into the loop`);
}

function textOf(node: GraphNode | undefined, attribute: string): string {
  return Buffer.from(node?.attributes.get(attribute)?.s ?? []).toString('utf8');
}
