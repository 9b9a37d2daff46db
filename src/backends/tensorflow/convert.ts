import { type Graph, type GraphNode, readGraph } from './graph.js';
import { writeModel } from './onnx-writer.js';
import type { Port } from './port.js';
import { parseReference } from './reference.js';
import type { Shape } from './tensor.js';
import { translate } from './translate.js';

/** What is said of an input or output beside the graph. */
export interface Hint {
  /** Of a node, or `node:1`. */
  readonly name: string;
  /** With the batch; null = nothing is said. */
  readonly shape: Shape | null;
}

export interface Hints {
  /** Empty = the placeholders. */
  readonly inputs: readonly Hint[];
  /** Empty = all that nothing in the graph uses. */
  readonly outputs: readonly Hint[];
}

/** A GraphDef as an ONNX model. Throws INVALID_ARGUMENT where the bytes are none, UNSUPPORTED with all nodes that cannot be translated. */
export function convertGraph(bytes: Uint8Array, hints: Hints): Uint8Array<ArrayBuffer> {
  const graph = readGraph(bytes);
  const port = ({ name, shape }: Hint): Port => ({ name, tensor: name, shape });
  const outputs = hints.outputs.length > 0 ? hints.outputs : ends(graph);
  const wanted = { inputs: hints.inputs.map(port), outputs: outputs.map(port), variables: new Map() };
  return writeModel(translate(graph, wanted));
}

/** Ops whose outputs answer nothing. */
const silent: ReadonlySet<string> = new Set(['Assert', 'Const', 'NoOp', 'Placeholder', 'PlaceholderWithDefault']);

/** Nodes that no other uses. Loops have all their variables behind them, also those that are of no use there. */
function ends({ nodes }: Graph): Hint[] {
  const used = new Set<string>();
  for (const node of nodes.values()) for (const input of node.inputs) used.add(parseReference(input).node);
  const found = [...nodes.values()].filter(({ name, op }: GraphNode) => !used.has(name) && !silent.has(op));
  const others = found.filter(({ op }) => op !== 'Exit');
  return (others.length > 0 ? others : found).map(({ name }) => ({ name, shape: null }));
}
