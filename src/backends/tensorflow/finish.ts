import { ServerError } from '../../types/errors.js';
import type { Builder, Value } from './builder.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from './onnx-writer.js';
import type { Shape } from './tensor.js';
import type { Port } from './translate.js';

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
  const rename = (text: string) => renamed.get(text) ?? text;
  const nodes = builder.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  return needed(nodes, builder, inputs, outputs);
}

/** What the configuration says is said, where it is no contradiction. */
function outputOf(name: string, { type, shape }: Value, given: Shape | null): OnnxValue {
  if (shape === null && given === null) {
    throw new ServerError('UNSUPPORTED', `the rank of output '${name}' is not known: list it in the configuration`);
  }
  const fits = shape === null || (given?.length === shape.length && given.every((dim, i) => canBe(dim, shape[i]!)));
  return { name, type, shape: fits && given !== null ? given : shape! };
}

function canBe(a: number, b: number): boolean {
  return a === b || a < 0 || b < 0;
}

function needed(
  nodes: readonly OnnxNode[],
  builder: Builder,
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
): OnnxGraph {
  const used = new Set(outputs.map(({ name }) => name));
  const kept: OnnxNode[] = [];
  // Nodes come behind those that they use.
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    kept.push(node);
    for (const input of node.inputs) used.add(input);
  }
  const initializers = new Map([...builder.initializers].filter(([name]) => used.has(name)));
  return { nodes: kept.reverse(), initializers, inputs, outputs };
}
