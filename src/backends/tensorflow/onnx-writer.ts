import protobuf from 'protobufjs';
import { ServerError } from '../../types/errors.js';
import { elementType } from './element-type.js';
import type { Shape, Tensor } from './tensor.js';

/** A number is an INT, an array of them INTS, a text a STRING. */
export type OnnxAttribute =
  | number
  | readonly number[]
  | string
  | { readonly float: number }
  | { readonly tensor: Tensor }
  | { readonly graph: OnnxGraph };
export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: OnnxAttributes;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: number;
  /** Null = the rank is not known: only inside of loops and branches. */
  readonly shape: Shape | null;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Of the operators that are written; see onnx/docs/Operators.md. */
const OPSET = 20;
const IR_VERSION = 9;
/** protobuf reads no more, nor does ONNX Runtime. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** ModelProto. Throws UNSUPPORTED where it would be larger than a protobuf message can be. */
export function writeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const model = new Message();
  model.varint(1, IR_VERSION).text(2, 'conch');
  model.message(7, graphMessage(graph));
  model.message(8, new Message().text(1, '').varint(2, OPSET));
  if (model.length > MAX_MODEL_BYTES) {
    throw new ServerError(
      'UNSUPPORTED',
      `the model takes ${model.length} bytes as ONNX, which holds ${MAX_MODEL_BYTES}`,
    );
  }
  return model.finish();
}

/** A message as pieces: tensors are copied once, when it is finished. */
class Message {
  length = 0;
  readonly #parts: Uint8Array[] = [];

  varint(number: number, value: number): this {
    return this.#part(
      protobuf.Writer.create()
        .uint32(number * 8)
        .int64(value)
        .finish(),
    );
  }

  float(number: number, value: number): this {
    return this.#part(
      protobuf.Writer.create()
        .uint32(number * 8 + 5)
        .float(value)
        .finish(),
    );
  }

  text(number: number, value: string): this {
    return this.bytes(number, Buffer.from(value, 'utf8'));
  }

  bytes(number: number, value: Uint8Array): this {
    return this.#head(number, value.length).#part(value);
  }

  message(number: number, message: Message): this {
    this.#head(number, message.length);
    for (const part of message.#parts) this.#part(part);
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  #head(number: number, length: number): this {
    return this.#part(
      protobuf.Writer.create()
        .uint32(number * 8 + 2)
        .int64(length)
        .finish(),
    );
  }

  #part(part: Uint8Array): this {
    this.#parts.push(part);
    this.length += part.length;
    return this;
  }
}

function graphMessage({ nodes, initializers, inputs, outputs }: OnnxGraph): Message {
  const graph = new Message();
  for (const node of nodes) graph.message(1, nodeMessage(node));
  graph.text(2, 'graph');
  for (const [name, tensor] of initializers) graph.message(5, tensorMessage(name, tensor));
  for (const value of inputs) graph.message(11, valueMessage(value));
  for (const value of outputs) graph.message(12, valueMessage(value));
  return graph;
}

function nodeMessage({ name, op, inputs, outputs, attributes }: OnnxNode): Message {
  const node = new Message();
  for (const input of inputs) node.text(1, input);
  for (const output of outputs) node.text(2, output);
  node.text(3, name).text(4, op);
  for (const [key, value] of Object.entries(attributes)) node.message(5, attributeMessage(key, value));
  return node;
}

/** AttributeProto.AttributeType is field 20. */
function attributeMessage(key: string, value: OnnxAttribute): Message {
  const attribute = new Message().text(1, key);
  if (typeof value === 'number') return attribute.varint(3, value).varint(20, 2);
  if (typeof value === 'string') return attribute.text(4, value).varint(20, 3);
  if ('float' in value) return attribute.float(2, value.float).varint(20, 1);
  if ('tensor' in value) return attribute.message(5, tensorMessage('', value.tensor)).varint(20, 4);
  if ('graph' in value) return attribute.message(6, graphMessage(value.graph)).varint(20, 5);
  for (const element of value) attribute.varint(8, element);
  return attribute.varint(20, 7);
}

function tensorMessage(name: string, { type, dims, bytes, strings }: Tensor): Message {
  const tensor = new Message();
  for (const dim of dims) tensor.varint(1, dim);
  tensor.varint(2, type).text(8, name);
  if (type !== elementType.STRING) return tensor.bytes(9, bytes);
  for (const element of strings) tensor.bytes(6, element);
  return tensor;
}

function valueMessage({ name, type, shape }: OnnxValue): Message {
  const tensor = new Message().varint(1, type);
  if (shape !== null) tensor.message(2, shapeMessage(shape));
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

/** Sizes that are not known, or are none, are given no name: nothing is said of which are the same. */
function shapeMessage(shape: Shape): Message {
  const message = new Message();
  for (const dim of shape)
    message.message(1, !Number.isSafeInteger(dim) || dim < 0 ? new Message() : new Message().varint(1, dim));
  return message;
}
