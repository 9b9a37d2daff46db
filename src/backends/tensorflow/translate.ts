import { asServerError, invalid, ServerError } from '../../types/errors.js';
import { translateBranch } from './branch.js';
import { Builder, constant, DEAD, named, type Value } from './builder.js';
import { Call } from './call.js';
import { raiseConditionals } from './conditionals.js';
import { fromTensorFlow } from './element-type.js';
import { finish } from './finish.js';
import { raiseLoops } from './frames.js';
import type { Graph, GraphFunction, GraphNode } from './graph.js';
import { type Inline, translateLoop } from './loop.js';
import type { OnnxGraph, OnnxValue } from './onnx-writer.js';
import { listOps } from './ops/list.js';
import { opTable } from './ops/op-table.js';
import type { Port } from './port.js';
import { dataInputs, isPivot, parseReference, type Reference } from './reference.js';
import { Refusals } from './refusals.js';
import { merged } from './shapes.js';
import { numbersOf, type Shape, type Tensor } from './tensor.js';

export interface Wanted {
  /** Besides these, placeholders that outputs need are inputs by their own names. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Values of variables, by the names of their nodes. */
  readonly variables: Pick<ReadonlyMap<string, Tensor>, 'get'>;
}

/** Values of a node's outputs. `dead` = a branch that is not taken; `lost` = it is, or hangs on, one that cannot be translated. */
type Result = readonly Value[] | 'dead' | 'lost';

/** A graph or one call of a function. */
interface Scope {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly results: Map<string, Result>;
  readonly open: Set<string>;
  readonly prefix: string;
  readonly depth: number;
  /** Where its nodes go. */
  readonly builder: Builder;
}

/** Functions that call functions can be more than a file has bytes. */
const MAX_TRANSLATED = 1_000_000;
const MAX_DEPTH = 64;

/**
 * The part of a graph that the outputs need, in ONNX. Throws UNSUPPORTED with all nodes that cannot be translated, INVALID_ARGUMENT
 * for a graph that does not hold together.
 */
export function translate(graph: Graph, wanted: Wanted): OnnxGraph {
  const fed = new Set(wanted.inputs.map(({ tensor }) => parseReference(tensor).node));
  return new Translator(raiseConditionals(raiseLoops(graph), fed), wanted).run();
}

class Translator {
  readonly #graph: Graph;
  readonly #wanted: Wanted;
  readonly #builder = new Builder();
  readonly #inputs: OnnxValue[] = [];
  readonly #refusals = new Refusals();
  readonly #nodes = new Map<GraphFunction, ReadonlyMap<string, GraphNode>>();
  #translated = 0;

  constructor(graph: Graph, wanted: Wanted) {
    this.#graph = graph;
    this.#wanted = wanted;
  }

  run(): OnnxGraph {
    const { nodes } = this.#graph;
    const scope: Scope = { nodes, results: new Map(), open: new Set(), prefix: '', depth: 0, builder: this.#builder };
    for (const { name } of [...this.#wanted.inputs, ...this.#wanted.outputs]) this.#builder.reserve(name);
    for (const input of this.#wanted.inputs) this.#feed(scope, input);
    const references = this.#wanted.outputs.map(({ tensor }) => parseReference(tensor));
    this.#evaluate(scope, references);
    this.#refusals.check();
    const values = references.map((reference) => this.#valueOf(scope, reference));
    return finish(this.#builder, this.#inputsInOrder(), this.#wanted.outputs, values);
  }

  /** Those that were asked for, then placeholders in the order of the graph. */
  #inputsInOrder(): OnnxValue[] {
    const given = this.#inputs.slice(0, this.#wanted.inputs.length);
    const others = new Map(this.#inputs.slice(given.length).map((input) => [input.name, input]));
    return [...given, ...[...this.#graph.nodes.keys()].flatMap((name) => others.get(name) ?? [])];
  }

  /** What the input names is fed, whatever it is: its own value is never asked for. */
  #feed(scope: Scope, { name, tensor, shape }: Port): void {
    const reference = parseReference(tensor);
    const node = scope.nodes.get(reference.node);
    if (node === undefined) throw invalid(`the graph has no node '${reference.node}' for input '${name}'`);
    const type = node.attributes.get('dtype')?.type ?? node.attributes.get('T')?.type;
    if (type === undefined || reference.port !== 0) throw invalid(`'${tensor}' of the graph cannot be an input`);
    scope.results.set(node.name, [this.#newInput(name, fromTensorFlow(type), placeholderShape(node), shape)]);
  }

  #newInput(name: string, type: number, own: Shape | null, given: Shape | null): Value {
    const shape = merged(own, given);
    if (shape === null) {
      throw invalid(
        `the shape of input '${name}' is not known: give the graph's placeholder one, or list it in the configuration`,
      );
    }
    this.#builder.reserve(name);
    this.#inputs.push({ name, type, shape });
    return named(name, type, shape);
  }

  /** Depth first, without recursion: graphs are deeper than stacks. */
  #evaluate(scope: Scope, targets: readonly Reference[]): void {
    const stack = targets.map(({ node }) => node);
    while (stack.length > 0) {
      const name = stack.at(-1)!;
      if (scope.results.has(name)) {
        stack.pop();
        continue;
      }
      const node = scope.nodes.get(name);
      if (node === undefined) throw invalid(`the graph has no node '${scope.prefix}${name}'`);
      const missing = needs(scope, node).filter((need) => !scope.results.has(need));
      if (missing.length === 0) {
        scope.results.set(name, this.#translate(scope, node));
        scope.open.delete(name);
        stack.pop();
        continue;
      }
      const back = missing.find((need) => need === name || scope.open.has(need));
      if (back !== undefined) throw invalid(`the graph goes in a circle at node '${scope.prefix}${back}'`);
      scope.open.add(name);
      for (const need of missing) stack.push(need);
    }
  }

  #translate(scope: Scope, node: GraphNode): Result {
    if (++this.#translated > MAX_TRANSLATED) throw invalid(`the graph has more than ${MAX_TRANSLATED} nodes`);
    if (
      node.op !== 'Merge' &&
      neededReferences(scope, node).some((need) => need.isControl && resultOf(scope, need) === 'dead')
    ) {
      return 'dead';
    }
    try {
      return this.#structural(scope, node) ?? this.#operator(scope, node);
    } catch (error) {
      this.#refusals.add(node.op, scope.prefix + node.name, asServerError(error));
      return 'lost';
    }
  }

  /** Null = it is none of those. */
  #structural(scope: Scope, node: GraphNode): Result | null {
    switch (node.op) {
      case 'Const':
        return [constant(required(node.attributes.get('value')?.tensor)())];
      case 'Placeholder':
      case 'PlaceholderV2':
        return [this.#placeholder(scope, node)];
      case 'VarHandleOp':
      case 'Variable':
      case 'VariableV2':
        return [this.#variable(node)];
      case 'NoOp':
        return [];
      case 'Switch':
        return this.#switch(scope, node);
      case 'Merge':
        return this.#merge(scope, node);
      case 'If':
      case 'StatelessIf':
        return this.#branch(scope, node);
      case 'While':
      case 'StatelessWhile':
        return this.#loop(scope, node);
      case 'PartitionedCall':
      case 'StatefulPartitionedCall':
        return this.#call(scope, node, this.#function(node, 'f'), dataInputs(node));
      default: {
        const called = this.#graph.functions.get(node.op);
        return called === undefined ? null : this.#call(scope, node, called, dataInputs(node));
      }
    }
  }

  #operator(scope: Scope, node: GraphNode): Result {
    const inputs = this.#inputsOf(scope, node);
    if (inputs === 'dead') return 'dead';
    const translation = opTable.get(node.op);
    if (translation === undefined) {
      const reason = this.#graph.reasons?.get(node.name);
      const why = reason === undefined ? null : new ServerError('UNSUPPORTED', reason);
      this.#refusals.add(node.op, scope.prefix + node.name, why);
      return 'lost';
    }
    if (inputs === 'lost') return 'lost';
    if (!(node.op in listOps) && !isCarrier(node) && inputs.some(({ list }) => list !== undefined)) {
      throw new ServerError('UNSUPPORTED', 'a list of tensors as an input');
    }
    const call = new Call(node, scope.prefix + node.name, inputs, scope.builder);
    const result = translation(call);
    return Array.isArray(result) ? result : [result];
  }

  #inputsOf(scope: Scope, node: GraphNode): Value[] | 'dead' | 'lost' {
    const used = neededReferences(scope, node).map((reference) => resultOf(scope, reference));
    if (used.includes('lost')) return 'lost';
    if (used.includes('dead')) return 'dead';
    return dataInputs(node).map((reference) => this.#valueOf(scope, reference));
  }

  #valueOf(scope: Scope, { node, port }: Reference): Value {
    const result = scope.results.get(node);
    const value = Array.isArray(result) ? result[port] : undefined;
    if (value !== undefined) return value as Value;
    const what = result === 'dead' ? 'is in a branch that is never taken' : 'has no value in inference';
    throw invalid(`output ${port} of node '${scope.prefix}${node}' ${what}`);
  }

  /** By their names. */
  #nodesOf(called: GraphFunction): ReadonlyMap<string, GraphNode> {
    const nodes = this.#nodes.get(called) ?? new Map(called.nodes.map((node) => [node.name, node]));
    this.#nodes.set(called, nodes);
    return nodes;
  }

  #placeholder(scope: Scope, node: GraphNode): Value {
    if (scope.depth > 0) throw invalid('a placeholder in a function');
    const type = fromTensorFlow(node.attributes.get('dtype')?.type ?? 0);
    return this.#newInput(node.name, type, placeholderShape(node), null);
  }

  #variable(node: GraphNode): Value {
    const tensor = this.#wanted.variables.get(node.name);
    if (tensor !== undefined) return constant(tensor);
    throw new ServerError('UNSUPPORTED', 'a variable without a value: freeze the graph, or serve it as a SavedModel');
  }

  #switch(scope: Scope, node: GraphNode): Result {
    const inputs = this.#inputsOf(scope, node);
    if (!Array.isArray(inputs)) return inputs;
    return isTrue(inputs[1]) ? [DEAD, inputs[0]!] : [inputs[0]!, DEAD];
  }

  /** The input of the branch that is taken, and its place. */
  #merge(scope: Scope, node: GraphNode): Result {
    const references = dataInputs(node);
    const live = references.filter((reference) => resultOf(scope, reference) !== 'dead');
    if (live.some((reference) => resultOf(scope, reference) === 'lost')) return 'lost';
    if (live.length === 0) return 'dead';
    if (live.length > 1)
      throw new ServerError('UNSUPPORTED', 'a choice between branches that is made when the model runs');
    return [this.#valueOf(scope, live[0]!)];
  }

  #branch(scope: Scope, node: GraphNode): Result {
    const inputs = this.#inputsOf(scope, node);
    if (!Array.isArray(inputs)) return inputs;
    const [taken, other] = [this.#function(node, 'then_branch'), this.#function(node, 'else_branch')];
    if (inputs[0] !== undefined && inputs[0].tensor === null) {
      const call = new Call(node, scope.prefix + node.name, inputs, scope.builder);
      return translateBranch(call, taken, other, this.#inliner(scope, node));
    }
    return this.#call(scope, node, isTrue(inputs[0]) ? taken : other, dataInputs(node).slice(1));
  }

  #loop(scope: Scope, node: GraphNode): Result {
    const inputs = this.#inputsOf(scope, node);
    if (!Array.isArray(inputs)) return inputs;
    const call = new Call(node, scope.prefix + node.name, inputs, scope.builder);
    return translateLoop(call, this.#function(node, 'cond'), this.#function(node, 'body'), this.#inliner(scope, node));
  }

  #inliner(scope: Scope, node: GraphNode): Inline {
    return (called, values, targets, builder) => {
      const results = values.map((value): Result => [value]);
      return this.#inline({ ...scope, builder }, node, called, results, targets);
    };
  }

  #function(node: GraphNode, attribute: string): GraphFunction {
    const name = node.attributes.get(attribute)?.func ?? '';
    const called = this.#graph.functions.get(name);
    if (called === undefined) throw invalid(`the graph has no function '${name}'`);
    return called;
  }

  /** The nodes of the function, with the arguments in place. */
  #call(scope: Scope, node: GraphNode, called: GraphFunction, references: readonly Reference[]): Result {
    const results = called.inputs.map((_, i): Result => {
      const reference = required(references[i]);
      const result = resultOf(scope, reference);
      return Array.isArray(result) ? [this.#valueOf(scope, reference)] : result;
    });
    const returns = called.outputs.map((output) => parseReference(required(called.returns.get(output))));
    return this.#inline(scope, node, called, results, returns);
  }

  /** What the targets of a function need. @param args one result for each of its arguments */
  #inline(
    scope: Scope,
    node: GraphNode,
    called: GraphFunction,
    args: readonly Result[],
    targets: readonly Reference[],
  ): readonly Value[] | 'lost' {
    if (scope.depth === MAX_DEPTH) throw invalid(`functions call each other deeper than ${MAX_DEPTH}`);
    const inner: Scope = {
      nodes: this.#nodesOf(called),
      results: new Map(called.inputs.map((argument, i) => [argument, args[i]!])),
      open: new Set(),
      prefix: called.isInPlace === true ? scope.prefix : `${scope.prefix}${node.name}/`,
      depth: scope.depth + 1,
      builder: scope.builder,
    };
    this.#evaluate(inner, targets);
    if (targets.some((reference) => resultOf(inner, reference) === 'lost')) return 'lost';
    return targets.map((reference) => (resultOf(inner, reference) === 'dead' ? DEAD : this.#valueOf(inner, reference)));
  }
}

function resultOf(scope: Scope, { node, port }: Reference): Result {
  const result = scope.results.get(node)!;
  return Array.isArray(result) && result[port] === DEAD ? 'dead' : result;
}

/** What passes lists on. */
function isCarrier({ op }: GraphNode): boolean {
  return op === 'Identity' || op === 'IdentityN';
}

/** Control inputs matter where they say in which branch a node is. */
function neededReferences(scope: Scope, node: GraphNode): Reference[] {
  if (node.op === 'NextIteration' || node.op === 'Placeholder') return [];
  const references = node.inputs.map(parseReference);
  return references.filter((reference) => !reference.isControl || isPivot(scope.nodes.get(reference.node)));
}

function needs(scope: Scope, node: GraphNode): string[] {
  return neededReferences(scope, node).map((reference) => reference.node);
}

function placeholderShape({ attributes }: GraphNode): Shape | null {
  return attributes.get('shape')?.shape ?? null;
}

function isTrue(value: Value | undefined): boolean {
  const tensor = value?.tensor ?? null;
  if (tensor !== null) return numbersOf(tensor)[0] !== 0;
  throw new ServerError('UNSUPPORTED', 'the choice of a branch is made when the model runs');
}

function required<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw invalid('an attribute or input is missing');
}
