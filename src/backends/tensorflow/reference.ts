import { invalid } from '../../types/errors.js';
import type { GraphNode } from './graph.js';

/** What an input of a node names. */
export interface Reference {
  readonly node: string;
  /** Place among the node's outputs. */
  readonly port: number;
  /** Only the order matters, not the value. */
  readonly isControl: boolean;
}

/** `node`, `node:1`, `^node`. Throws INVALID_ARGUMENT for a place that is none. */
export function parseReference(text: string): Reference {
  if (text.startsWith('^')) return { node: text.slice(1), port: 0, isControl: true };
  const [node, ...rest] = text.split(':') as [string, ...string[]];
  const port = Number(rest.at(-1) ?? 0);
  if (!Number.isSafeInteger(port) || port < 0 || rest.length > 1) throw invalid(`'${text}' names no output of a node`);
  return { node, port, isControl: false };
}

export function dataInputs(node: GraphNode): Reference[] {
  return node.inputs.map(parseReference).filter(({ isControl }) => !isControl);
}

/** By the names that TensorFlow gives them. */
const pivots = [
  { op: 'Identity', part: 'switch_' },
  { op: 'Identity', part: 'pivot_' },
  { op: 'NoOp', part: 'input_control_node' },
];

/** Whether a node says in which branch those are that come behind it. */
export function isPivot(node: GraphNode | undefined): boolean {
  if (node === undefined) return false;
  const { op, name } = node;
  return op === 'Switch' || pivots.some((pivot) => pivot.op === op && name.includes(pivot.part));
}

/** A node that makes nothing but names for its inputs. */
export function identity(name: string, inputs: readonly string[]): GraphNode {
  return { name, op: inputs.length === 1 ? 'Identity' : 'IdentityN', inputs, attributes: new Map() };
}
