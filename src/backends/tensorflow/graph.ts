import { invalid } from '../../types/errors.js';
import { placed } from './output-names.js';
import type { Shape, Tensor } from './tensor.js';
import { readShape, readTensor } from './tensor.js';
import { broken, type Field, fields, messages, text, varints, whole } from './wire.js';

/** AttrValue: which of its members is set. Tensors are read when they are asked for: training leaves many that nobody needs. */
export interface Attribute {
  readonly s?: Uint8Array;
  readonly i?: number;
  readonly f?: number;
  readonly b?: boolean;
  /** TensorFlow's number. */
  readonly type?: number;
  /** Null = the rank is not known. */
  readonly shape?: Shape | null;
  readonly tensor?: () => Tensor;
  readonly func?: string;
  readonly list?: AttributeList;
  /** The attribute of the calling node that has the value: in functions. */
  readonly placeholder?: string;
}

export interface AttributeList {
  readonly s: readonly Uint8Array[];
  readonly i: readonly number[];
  readonly f: readonly number[];
  readonly type: readonly number[];
  readonly shape: readonly (Shape | null)[];
}

/** NodeDef. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:1`, `^node`; in functions also `argument`. */
  readonly inputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** FunctionDef. */
export interface GraphFunction {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly GraphNode[];
  /** Where each output comes from, by its name. */
  readonly returns: ReadonlyMap<string, string>;
  /** It was part of a graph: its nodes go by their own names. */
  readonly isInPlace?: boolean;
}

export interface Graph {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly functions: ReadonlyMap<string, GraphFunction>;
  /** Why nodes could not be made what can be translated. */
  readonly reasons?: ReadonlyMap<string, string>;
}

/** Each takes a few hundred bytes of memory and two of a file. */
const MAX_NODES = 1_000_000;

/** GraphDef. Throws INVALID_ARGUMENT where the bytes are none, or two nodes have one name. */
export function readGraph(bytes: Uint8Array): Graph {
  const nodes = new Map<string, GraphNode>();
  const functions = new Map<string, GraphFunction>();
  for (const field of messages(bytes)) {
    if (field.number === 1) addNode(nodes, readNode(field.bytes));
    if (field.number === 2) readLibrary(field.bytes, functions);
  }
  if (nodes.size === 0) throw invalid('not a TensorFlow graph: it has no nodes');
  return { nodes, functions };
}

function addNode(nodes: Map<string, GraphNode>, node: GraphNode): void {
  if (nodes.has(node.name)) throw invalid(`not a TensorFlow graph: two nodes are called '${node.name}'`);
  if (nodes.size === MAX_NODES) throw invalid(`a TensorFlow graph of more than ${MAX_NODES} nodes`);
  nodes.set(node.name, node);
}

function readNode(bytes: Uint8Array): GraphNode {
  let name = '';
  let op = '';
  const inputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  for (const field of messages(bytes)) {
    if (field.number === 1) name = text(field);
    else if (field.number === 2) op = text(field);
    else if (field.number === 3) inputs.push(text(field));
    else if (field.number === 5) readEntry(field.bytes, attributes);
  }
  if (name === '' || op === '') throw broken('a node without name or op');
  return { name, op, inputs, attributes };
}

function readEntry(bytes: Uint8Array, attributes: Map<string, Attribute>): void {
  let key = '';
  let value: Attribute = {};
  for (const field of messages(bytes)) {
    if (field.number === 1) key = text(field);
    if (field.number === 2) value = readAttribute(field.bytes);
  }
  attributes.set(key, value);
}

function readAttribute(bytes: Uint8Array): Attribute {
  let attribute: Attribute = {};
  for (const field of fields(bytes)) attribute = readMember(field) ?? attribute;
  return attribute;
}

function readMember({ number, value, bytes, wire }: Field): Attribute | null {
  if (number === 3) return { i: whole(BigInt.asIntN(54, value) === value ? value : 2n ** 53n - 1n) };
  if (number === 5) return { b: value !== 0n };
  if (number === 6) return { type: whole(value) };
  if (number === 4 && wire === 5) return { f: float(bytes) };
  if (wire !== 2) return null;
  if (number === 1) return { list: readList(bytes) };
  if (number === 2) return { s: bytes };
  if (number === 7) return { shape: readShape(bytes) };
  if (number === 8) return { tensor: () => readTensor(bytes) };
  if (number === 9) return { placeholder: Buffer.from(bytes).toString('utf8') };
  if (number === 10) return { func: nameOf(bytes) };
  return null;
}

function readList(bytes: Uint8Array): AttributeList {
  const list = {
    s: [] as Uint8Array[],
    i: [] as number[],
    f: [] as number[],
    type: [] as number[],
    shape: [] as (Shape | null)[],
  };
  for (const field of fields(bytes)) {
    if (field.number === 2 && field.wire === 2) list.s.push(field.bytes);
    if (field.number === 3) for (const value of varints(field)) list.i.push(Number(value));
    if (field.number === 6) for (const value of varints(field)) list.type.push(Number(value));
    if (field.number === 7 && field.wire === 2) list.shape.push(readShape(field.bytes));
    if (field.number === 4) for (let at = 0; at + 4 <= field.bytes.length; at += 4) list.f.push(float(field.bytes, at));
  }
  return list;
}

function float(bytes: Uint8Array, at = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat32(at, true);
}

/** Of a NameAttrList, an OpDef, an ArgDef. */
function nameOf(bytes: Uint8Array): string {
  for (const field of messages(bytes)) if (field.number === 1) return text(field);
  return '';
}

function readLibrary(bytes: Uint8Array, functions: Map<string, GraphFunction>): void {
  for (const field of messages(bytes)) {
    if (field.number !== 1) continue;
    const read = readFunction(field.bytes);
    functions.set(read.name, read);
  }
}

function readFunction(bytes: Uint8Array): GraphFunction {
  let signature = { name: '', inputs: [] as string[], outputs: [] as string[] };
  const nodes: GraphNode[] = [];
  const returns = new Map<string, string>();
  for (const field of messages(bytes)) {
    if (field.number === 1) signature = readSignature(field.bytes);
    else if (field.number === 3) nodes.push(readNode(field.bytes));
    else if (field.number === 4) readReturn(field.bytes, returns);
  }
  const ops = new Map(nodes.map(({ name, op }) => [name, op]));
  const place = (reference: string) => placed(reference, (node) => ops.get(node) ?? '');
  return {
    ...signature,
    nodes: nodes.map((node) => ({ ...node, inputs: node.inputs.map(place) })),
    returns: new Map([...returns].map(([output, reference]) => [output, place(reference)])),
  };
}

function readSignature(bytes: Uint8Array): { name: string; inputs: string[]; outputs: string[] } {
  const signature = { name: '', inputs: [] as string[], outputs: [] as string[] };
  for (const field of messages(bytes)) {
    if (field.number === 1) signature.name = text(field);
    if (field.number === 2) signature.inputs.push(nameOf(field.bytes));
    if (field.number === 3) signature.outputs.push(nameOf(field.bytes));
  }
  return signature;
}

function readReturn(bytes: Uint8Array, returns: Map<string, string>): void {
  let key = '';
  let value = '';
  for (const field of messages(bytes)) {
    if (field.number === 1) key = text(field);
    if (field.number === 2) value = text(field);
  }
  returns.set(key, value);
}
