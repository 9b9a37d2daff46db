import { ServerError } from '../../types/errors.js';
import type { Builder, Value } from './builder.js';
import type { OnnxAttributes, OnnxGraph, OnnxNode, OnnxValue } from './onnx-writer.js';
import type { Port } from './port.js';
import type { Shape } from './tensor.js';

/** The graph with its outputs by their names, and without what they do not need. */
export function finish(
  builder: Builder,
  inputs: readonly OnnxValue[],
  ports: readonly Port[],
  values: readonly Value[],
): OnnxGraph {
  const outputs = ports.map(({ name, shape }, i) => outputOf(name, values[i]!, shape));
  const made = new Set(builder.nodes.flatMap((node) => node.outputs));
  const inner = ports.map((_, i) => builder.plain(values[i]!));
  for (const node of builder.nodes) for (const output of node.outputs) made.add(output);
  const renamed = new Map<string, string>();
  ports.forEach(({ name }, i) => {
    if (inputs.some((input) => input.name === name) && inner[i] === name) return;
    if (made.has(inner[i]!) && !renamed.has(inner[i]!)) renamed.set(inner[i]!, name);
    else builder.nodes.push({ name, op: 'Identity', inputs: [inner[i]!], outputs: [name], attributes: {} });
  });
  const nodes = builder.nodes.map((node) => renamedNode(node, renamed));
  const { kept, used } = needed(
    nodes,
    outputs.map(({ name }) => name),
  );
  const initializers = new Map([...builder.initializers].filter(([name]) => used.has(name)));
  return { nodes: kept, initializers, inputs, outputs };
}

/** A loop's body or a branch: each output is made in it, and has a name that no other has. */
export function closed(builder: Builder, inputs: readonly OnnxValue[], values: readonly Value[]): OnnxGraph {
  const names = values.map((value) => builder.plain(value));
  const made = new Set(builder.nodes.flatMap((node) => node.outputs));
  const outputs = values.map(({ type, shape }, i) => {
    const isOwn = made.has(names[i]!) && names.indexOf(names[i]!) === i;
    const name = isOwn ? names[i]! : builder.add(`${names[i]!}/copy`, 'Identity', [names[i]!])[0]!;
    return { name, type, shape };
  });
  const { kept } = needed(
    builder.nodes,
    outputs.map(({ name }) => name),
  );
  return { nodes: kept, initializers: new Map(), inputs, outputs };
}

/** What the configuration says is said, where it is no contradiction. */
function outputOf(name: string, { type, shape, list }: Value, given: Shape | null): OnnxValue {
  if (list !== undefined) throw new ServerError('UNSUPPORTED', `output '${name}' is a list of tensors, and not one`);
  if (shape === null && given === null) {
    throw new ServerError('UNSUPPORTED', `the rank of output '${name}' is not known: list it in the configuration`);
  }
  const fits = shape === null || (given?.length === shape.length && given.every((dim, i) => canBe(dim, shape[i]!)));
  return { name, type, shape: fits && given !== null ? given : shape! };
}

function canBe(a: number, b: number): boolean {
  return a === b || a < 0 || b < 0;
}

function renamedNode(node: OnnxNode, renamed: ReadonlyMap<string, string>): OnnxNode {
  const rename = (text: string) => renamed.get(text) ?? text;
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([key, value]) => {
      if (typeof value !== 'object' || !('graph' in value)) return [key, value];
      return [key, { graph: { ...value.graph, nodes: value.graph.nodes.map((inner) => renamedNode(inner, renamed)) } }];
    }),
  );
  return { ...node, attributes, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}

/** The nodes that lead to the outputs, and all names that they use. */
function needed(nodes: readonly OnnxNode[], outputs: readonly string[]): { kept: OnnxNode[]; used: Set<string> } {
  const used = new Set(outputs);
  const kept: OnnxNode[] = [];
  // Nodes come behind those that they use.
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    kept.push(node);
    for (const input of node.inputs) used.add(input);
    addUsed(node.attributes, used);
  }
  return { kept: kept.reverse(), used };
}

/** What loops and branches take from around them. */
function addUsed(attributes: OnnxAttributes, used: Set<string>): void {
  for (const value of Object.values(attributes)) {
    if (typeof value !== 'object' || !('graph' in value)) continue;
    for (const { name } of value.graph.outputs) used.add(name);
    for (const node of value.graph.nodes) {
      for (const input of node.inputs) used.add(input);
      addUsed(node.attributes, used);
    }
  }
}
