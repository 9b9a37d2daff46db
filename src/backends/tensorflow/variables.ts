import type { Graph, GraphNode } from './graph.js';
import { parseReference, type Reference } from './reference.js';

type Nodes = ReadonlyMap<string, GraphNode>;

/**
 * Keys of a checkpoint by the names of the variables' nodes: what the graph itself does to restore them. TensorFlow 1 does so among
 * its nodes, TensorFlow 2 in a function that is given the variables.
 */
export function variableKeys(graph: Graph): Map<string, string> {
  const keys = new Map<string, string>();
  collect(graph.nodes, new Map(), keys);
  for (const node of graph.nodes.values()) {
    const called = graph.functions.get(node.attributes.get('f')?.func ?? '');
    if (called === undefined || !called.nodes.some(({ op }) => op === 'RestoreV2')) continue;
    const given = node.inputs.map(parseReference).filter(({ isControl }) => !isControl);
    const names = called.inputs.map((argument, i) => [argument, given[i]?.node ?? ''] as const);
    collect(new Map(called.nodes.map((inner) => [inner.name, inner])), new Map(names), keys);
  }
  return keys;
}

/** @param given what arguments of a function are outside */
function collect(nodes: Nodes, given: ReadonlyMap<string, string>, keys: Map<string, string>): void {
  for (const node of nodes.values()) {
    if (node.op !== 'AssignVariableOp' && node.op !== 'Assign') continue;
    const [variable, value] = node.inputs.slice(0, 2).map((input) => origin(nodes, parseReference(input)));
    if (variable === undefined || value === undefined) continue;
    const key = keyOf(nodes, value);
    if (key !== null) keys.set(given.get(variable.node) ?? variable.node, key);
  }
}

/** Behind identities. */
function origin(nodes: Nodes, reference: Reference): Reference {
  let found = reference;
  for (let steps = 0; steps < nodes.size; steps++) {
    const node = nodes.get(found.node);
    if (node?.op !== 'Identity' || node.inputs.length === 0) return found;
    found = parseReference(node.inputs[0]!);
  }
  return found;
}

function keyOf(nodes: Nodes, { node, port }: Reference): string | null {
  const restore = nodes.get(node);
  if (restore?.op !== 'RestoreV2' || restore.inputs.length < 2) return null;
  const names = nodes.get(origin(nodes, parseReference(restore.inputs[1]!)).node);
  const name = names?.attributes.get('value')?.tensor?.().strings[port];
  return name === undefined ? null : Buffer.from(name).toString('utf8');
}
