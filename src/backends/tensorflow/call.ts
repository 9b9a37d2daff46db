import { ServerError } from '../../types/errors.js';
import { type Builder, constant, intsOf, named, type Value } from './builder.js';
import { elementType, fromTensorFlow } from './element-type.js';
import type { Attribute, GraphNode } from './graph.js';
import type { OnnxAttributes } from './onnx-writer.js';
import { filled, int64s, numbersOf, type Shape, transpose } from './tensor.js';

/** Translates one node: its outputs, in TensorFlow's order; those that nobody uses may be missing behind the last. */
export type Translate = (call: Call) => Value | Value[];

/** Ops of one family, by TensorFlow's names. */
export type OpTable = Readonly<Record<string, Translate>>;

/** One node that is translated: its inputs and attributes, and the ONNX graph that it adds to. */
export class Call {
  readonly op: string;
  readonly builder: Builder;
  readonly inputs: readonly Value[];
  readonly #node: GraphNode;
  readonly #base: string;

  /** @param base what the names of its tensors begin with */
  constructor(node: GraphNode, base: string, inputs: readonly Value[], builder: Builder) {
    this.op = node.op;
    this.#node = node;
    this.#base = base;
    this.inputs = inputs;
    this.builder = builder;
  }

  /** The same node, adding to another graph: the body of a loop, a branch. */
  inside(builder: Builder): Call {
    return new Call(this.#node, this.#base, this.inputs, builder);
  }

  /** Throws INVALID_ARGUMENT where the node has no such input. */
  input(index: number): Value {
    const value = this.inputs[index];
    if (value !== undefined) return value;
    throw new ServerError('INVALID_ARGUMENT', `has ${this.inputs.length} inputs, and no input ${index}`);
  }

  attribute(name: string): Attribute {
    return this.#node.attributes.get(name) ?? {};
  }

  int(name: string, otherwise: number): number {
    return this.attribute(name).i ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.attribute(name).f ?? otherwise;
  }

  flag(name: string): boolean {
    return this.attribute(name).b ?? false;
  }

  text(name: string, otherwise: string): string {
    const { s } = this.attribute(name);
    return s === undefined ? otherwise : Buffer.from(s).toString('utf8');
  }

  list(name: string): readonly number[] {
    return this.attribute(name).list?.i ?? [];
  }

  /** ONNX's number of a type; 0 = the node does not say. */
  typeAttribute(name: string): number {
    const { type } = this.attribute(name);
    return type === undefined ? 0 : fromTensorFlow(type % 100);
  }

  /** Constant whole numbers. Throws UNSUPPORTED where they are only known when the model runs. */
  ints(index: number, what: string): number[] {
    const ints = intsOf(this.input(index));
    if (ints?.every((int) => int !== null)) return ints as number[];
    const { tensor } = this.input(index);
    if (tensor !== null && tensor.type !== elementType.STRING) return numbersOf(tensor);
    throw this.refused(`its ${what} (input ${index}) are not constant`);
  }

  /** One ONNX node with one output. */
  emit(
    op: string,
    inputs: readonly (Value | string)[],
    type: number,
    shape: Shape | null,
    attributes: OnnxAttributes = {},
  ): Value {
    return named(this.emitNames(op, inputs, attributes)[0]!, type, shape);
  }

  /** One whose output has channels first; the shape is TensorFlow's. */
  emitFirst(
    op: string,
    inputs: readonly string[],
    type: number,
    shape: Shape | null,
    attributes: OnnxAttributes = {},
  ): Value {
    const first = this.emitNames(op, inputs, attributes)[0]!;
    return { type, shape, tensor: null, ints: null, name: '', first };
  }

  emitNames(op: string, inputs: readonly (Value | string)[], attributes: OnnxAttributes = {}, outputs = 1): string[] {
    const names = inputs.map((input) => (typeof input === 'string' ? input : this.builder.plain(input)));
    return this.builder.add(this.#base, op, names, attributes, outputs);
  }

  /** Names of constants. */
  int64s(values: readonly number[], dims?: Shape): string {
    return this.builder.write(int64s(values, dims));
  }

  scalar(value: number, type: number): string {
    return this.builder.write(filled(type, value, []));
  }

  cast(value: Value, type: number): Value {
    if (value.type === type) return value;
    const ints = intsOf(value);
    if (type === elementType.INT64 && value.tensor !== null && ints !== null) {
      return constant(int64s(ints as number[], value.tensor.dims));
    }
    if (value.first !== '' && value.name === '') {
      return this.emitFirst('Cast', [value.first], type, value.shape, { to: type });
    }
    const result = this.emit('Cast', [value], type, value.shape, { to: type });
    return { ...result, ints };
  }

  /** As ONNX wants shapes, axes and places. */
  asInt64(value: Value): string {
    return this.builder.plain(this.cast(value, elementType.INT64));
  }

  /** Dimensions in another order; done at once where it is a constant. */
  transposed(value: Value, permutation: readonly number[]): Value {
    if (value.tensor !== null && value.type !== elementType.STRING) {
      return constant(transpose(value.tensor, permutation));
    }
    const shape = value.shape === null ? null : permutation.map((axis) => value.shape![axis]!);
    return this.emit('Transpose', [value], value.type, shape, { perm: permutation });
  }

  /** Dimensions of an input. Throws UNSUPPORTED where their number is not known. */
  rank(index: number): number {
    const { shape } = this.input(index);
    if (shape !== null) return shape.length;
    throw this.refused(`the rank of its input ${index} is not known; give the placeholders of the graph a shape`);
  }

  /** From the front. Throws INVALID_ARGUMENT for one that is not there. */
  axis(axis: number, rank: number): number {
    const counted = axis < 0 ? axis + rank : axis;
    if (counted >= 0 && counted < rank) return counted;
    throw new ServerError('INVALID_ARGUMENT', `has axis ${axis} of ${rank} dimensions`);
  }

  refused(why: string): ServerError {
    return new ServerError('UNSUPPORTED', why);
  }
}
