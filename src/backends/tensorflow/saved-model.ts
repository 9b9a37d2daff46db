import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../../types/errors.js';
import { Checkpoint } from './checkpoint.js';
import type { Hint, Hints } from './convert.js';
import { type Graph, readGraph } from './graph.js';
import { writeModel } from './onnx-writer.js';
import type { Port } from './port.js';
import { messageOf, readShape, type Shape, type Tensor } from './tensor.js';
import { translate } from './translate.js';
import { variableKeys } from './variables.js';
import { messages, text } from './wire.js';

/** Field numbers of saved_model.proto and meta_graph.proto. */
const META_GRAPHS = 2;
const metaGraph = { info: 1, graph: 2, signature: 5 } as const;
const TAGS = 4;

/** What a server asks for where nobody says otherwise. */
const SERVE = 'serve';
const SIGNATURE = 'serving_default';

/** Names of Triton, in `parameters` of a configuration. */
const parameters = { tag: 'TF_GRAPH_TAG', signature: 'TF_SIGNATURE_DEF' } as const;

/** Which graph of a SavedModel, and which of its signatures. */
export interface SavedChoice {
  readonly tag: string;
  readonly signature: string;
}

export const usualChoice: SavedChoice = { tag: SERVE, signature: SIGNATURE };

/** SignatureDef: inputs and outputs by the names that clients use. */
interface Signature {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** Files of a SavedModel that say what it computes, from its folder. */
export const savedModelFile = 'saved_model.pb';
const checkpoint = join('variables', 'variables');

/**
 * A SavedModel as an ONNX model, with the inputs and outputs of one of its signatures. Hints choose among its outputs. Throws
 * what `convertGraph` throws, and INVALID_ARGUMENT where there is no such graph or signature, or a hint names nothing of it.
 */
export function convertSavedModel(
  directory: string,
  hints: Hints,
  { tag, signature: name } = usualChoice,
): Uint8Array<ArrayBuffer> {
  const file = join(directory, savedModelFile);
  if (!existsSync(file)) throw invalid(`${directory} is no SavedModel: it has no ${savedModelFile}`);
  const meta = taggedGraph(readFileSync(file), tag);
  const graph = readGraph(messageOf(meta, metaGraph.graph) ?? new Uint8Array(0));
  const signature = chosenSignature(meta, name);
  const inputs = chosen('input', signature.inputs, hints.inputs, true);
  const outputs = chosen('output', signature.outputs, hints.outputs, false);
  return writeModel(
    translate(graph, { inputs, outputs, variables: new Variables(graph, join(directory, checkpoint)) }),
  );
}

/** What a configuration says. @param parameter its value; '' = none */
export function savedChoice(parameter: (name: string) => string): SavedChoice {
  return {
    tag: parameter(parameters.tag) || usualChoice.tag,
    signature: parameter(parameters.signature) || usualChoice.signature,
  };
}

/** Read when they are asked for. */
class Variables implements Pick<ReadonlyMap<string, Tensor>, 'get'> {
  readonly #keys: ReadonlyMap<string, string>;
  readonly #checkpoint: Checkpoint | null;
  /** Who asks twice gets the same, and it is written once. */
  readonly #read = new Map<string, Tensor>();

  constructor(graph: Graph, prefix: string) {
    this.#keys = variableKeys(graph);
    this.#checkpoint = existsSync(`${prefix}.index`) ? new Checkpoint(prefix) : null;
  }

  get(name: string): Tensor | undefined {
    const key = this.#keys.get(name);
    if (key === undefined || this.#checkpoint === null) return undefined;
    const tensor = this.#read.get(key) ?? this.#checkpoint.read(key);
    this.#read.set(key, tensor);
    return tensor;
  }
}

function taggedGraph(bytes: Uint8Array, wanted: string): Uint8Array {
  const graphs = [...messages(bytes)].filter(({ number }) => number === META_GRAPHS).map((field) => field.bytes);
  const tags = graphs.map((graph) => {
    const info = messageOf(graph, metaGraph.info) ?? new Uint8Array(0);
    return [...messages(info)].filter(({ number }) => number === TAGS).map(text);
  });
  const found = graphs.find((_, i) => tags[i]!.includes(wanted));
  if (found !== undefined) return found;
  const names = [...new Set(tags.flat())].sort().join("', '");
  throw invalid(
    `the SavedModel has no graph with the tag '${wanted}': found '${names}' (parameter ${parameters.tag}, or --tag)`,
  );
}

function chosenSignature(meta: Uint8Array, name: string): Signature {
  const signatures = new Map<string, Signature>();
  for (const field of messages(meta)) {
    if (field.number !== metaGraph.signature) continue;
    const { key, value } = entryOf(field.bytes);
    signatures.set(key, readSignature(value));
  }
  const found = signatures.get(name);
  if (found !== undefined) return found;
  const names = [...signatures.keys()].sort().join("', '");
  throw invalid(
    `the SavedModel has no signature '${name}': found '${names}' (parameter ${parameters.signature}, or --signature)`,
  );
}

/** Maps are messages of key and value. */
function entryOf(bytes: Uint8Array): { key: string; value: Uint8Array } {
  let key = '';
  for (const field of messages(bytes)) if (field.number === 1) key = text(field);
  return { key, value: messageOf(bytes, 2) ?? new Uint8Array(0) };
}

function readSignature(bytes: Uint8Array): Signature {
  const ports = (number: number) =>
    [...messages(bytes)].filter((field) => field.number === number).map((field) => readPort(field.bytes));
  const byName = (a: Port, b: Port) => (a.name < b.name ? -1 : 1);
  return { inputs: ports(1).sort(byName), outputs: ports(2).sort(byName) };
}

function readPort(bytes: Uint8Array): Port {
  const { key: name, value } = entryOf(bytes);
  let tensor = '';
  let shape: Shape | null = null;
  for (const field of messages(value)) {
    if (field.number === 1) tensor = text(field);
    if (field.number === 3) shape = readShape(field.bytes);
  }
  return { name, tensor, shape };
}

/** Inputs are all those of the signature, whatever the configuration lists: the graph needs them. */
function chosen(kind: string, ports: readonly Port[], hints: readonly Hint[], areAllNeeded: boolean): Port[] {
  for (const { name } of hints) {
    if (ports.some((port) => port.name === name)) continue;
    const names = ports.map((port) => `'${port.name}'`).join(', ');
    throw invalid(`unexpected ${kind} '${name}': the SavedModel's signature has ${names}`);
  }
  const wanted = ports.filter(
    ({ name }) => areAllNeeded || hints.length === 0 || hints.some((hint) => hint.name === name),
  );
  return wanted.map((port) => ({ ...port, shape: hints.find(({ name }) => name === port.name)?.shape ?? port.shape }));
}
