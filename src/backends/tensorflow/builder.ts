import { invalid } from '../../types/errors.js';
import { bytesOfElement, elementType } from './element-type.js';
import type { OnnxAttribute, OnnxAttributes, OnnxNode } from './onnx-writer.js';
import { int64s, numbersOf, type Shape, type Tensor, transpose, typedArray } from './tensor.js';

/**
 * A tensor of the graph. Its shape is TensorFlow's. Images with channels last may exist as ONNX's operators want them, channels first,
 * or both ways: who uses a value says how, and it is turned around only for those who cannot take it as it is.
 */
export interface Value {
  readonly type: number;
  readonly shape: Shape | null;
  /** Its elements, where they are constant. */
  readonly tensor: Tensor | null;
  /** What is known of whole numbers of rank 0 or 1: shapes, mostly. Null within = not known. */
  readonly ints: readonly (number | null)[] | null;
  /** ONNX's name of it; '' = it does not exist so. */
  name: string;
  /** The name of it with channels first; '' = it does not exist so. Only of rank 4. */
  first: string;
  /** It is a list of tensors: as a value, its elements along a new first dimension. */
  readonly list?: ListFacts;
}

/** What is known of a list beside its elements. */
export interface ListFacts {
  /** How many elements it has, of rank 0; null = as many as the value has rows. */
  readonly size: Value | null;
  /** Nothing was written: no value is made of it before that is needed, and its shape, if known, is that of one element. */
  readonly isEmpty: boolean;
  /** Elements may be written behind its end. */
  readonly grows: boolean;
}

export const TO_FIRST = [0, 3, 1, 2] as const;
export const TO_LAST = [0, 2, 3, 1] as const;

/** Shapes are of so many elements at most. */
const MAX_INTS = 64;
/** Constants up to this many bytes are written once, however often they are used. */
const SHARED_BYTES = 64;

const wholeTypes: readonly number[] = [elementType.INT32, elementType.INT64];

/** ONNX nodes and initialisers as they are made: of a model, or of a loop's body or a branch, which see what is around them. */
export class Builder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Map<string, Tensor>;
  readonly #names: Set<string>;
  /** Of each name, the next number that nothing has. */
  readonly #counts: Map<string, number>;
  readonly #shared: Map<string, string>;
  readonly #written: Map<Tensor, string>;
  readonly #makers: Map<string, OnnxNode>;

  /** @param outer what is around it: names are of all, initialisers of the outermost */
  constructor(outer: Builder | null = null) {
    this.initializers = outer === null ? new Map() : outer.initializers;
    this.#names = outer === null ? new Set() : outer.#names;
    this.#counts = outer === null ? new Map() : outer.#counts;
    this.#shared = outer === null ? new Map() : outer.#shared;
    this.#written = outer === null ? new Map() : outer.#written;
    this.#makers = outer === null ? new Map() : outer.#makers;
  }

  /** Names that mean something outside. */
  reserve(name: string): void {
    this.#names.add(name);
  }

  /** A name that nothing has. */
  fresh(base: string): string {
    let name = base;
    let count = this.#counts.get(base) ?? 1;
    while (this.#names.has(name)) name = `${base}__${count++}`;
    this.#counts.set(base, count);
    this.#names.add(name);
    return name;
  }

  /** One node; its outputs' names. */
  add(base: string, op: string, inputs: readonly string[], attributes: OnnxAttributes = {}, outputs = 1): string[] {
    for (const [key, value] of Object.entries(attributes)) checkWhole(key, value);
    const names = Array.from({ length: outputs }, (_, i) => this.fresh(i === 0 ? base : `${base}:${i}`));
    const node = { name: names[0]!, op, inputs, outputs: names, attributes };
    this.nodes.push(node);
    for (const name of names) this.#makers.set(name, node);
    return names;
  }

  /** The node that makes a value. */
  maker(name: string): OnnxNode | undefined {
    return this.#makers.get(name);
  }

  /** ONNX's name of a value as TensorFlow has it. */
  plain(value: Value): string {
    if (value.name !== '') return value.name;
    value.name = value.tensor === null ? this.#turned(value.first, 'last', value.shape) : this.write(value.tensor);
    return value.name;
  }

  /** ONNX's name of a value of rank 4 with channels first. */
  first(value: Value): string {
    if (value.first !== '') return value.first;
    value.first =
      value.tensor === null
        ? this.#turned(value.name, 'first', value.shape)
        : this.write(transpose(value.tensor, TO_FIRST));
    return value.first;
  }

  /** Images of one point are turned around without moving anything; a size of 0 is that of the input. */
  #turned(name: string, where: 'first' | 'last', shape: Shape | null): string {
    const base = `${name}/${where}`;
    if (shape === null || !isPoint(shape)) {
      return this.add(base, 'Transpose', [name], { perm: where === 'first' ? TO_FIRST : TO_LAST })[0]!;
    }
    const channels = shape[3]!;
    const dims = where === 'first' ? [0, channels, 1, 1] : [0, 1, 1, channels];
    return this.add(base, 'Reshape', [name, this.write(int64s(dims))])[0]!;
  }

  /** An initialiser. */
  write(tensor: Tensor): string {
    const before = this.#written.get(tensor);
    if (before !== undefined) return before;
    const { type, dims, bytes } = tensor;
    const isSmall = bytesOfElement(type) > 0 && bytes.length <= SHARED_BYTES;
    const key = isSmall ? `${type} ${dims} ${Buffer.from(bytes).toString('hex')}` : '';
    const name = (isSmall ? this.#shared.get(key) : undefined) ?? this.fresh('const');
    if (isSmall) this.#shared.set(key, name);
    this.#written.set(tensor, name);
    this.initializers.set(name, tensor);
    return name;
  }
}

/** A list of the file may be too short, or say what is no size. */
function checkWhole(key: string, value: OnnxAttribute): void {
  const numbers = typeof value === 'number' ? [value] : Array.isArray(value) ? (value as readonly number[]) : [];
  if (numbers.every((number) => Number.isSafeInteger(number))) return;
  throw invalid(`its attributes lead to ${key} ${numbers.map(String).join(', ')}`);
}

/** A shape of rank 4 whose height and width are 1. */
export function isPoint(shape: Shape): boolean {
  return shape.length === 4 && shape[1] === 1 && shape[2] === 1 && shape[3]! > 0;
}

export function constant(tensor: Tensor): Value {
  return { type: tensor.type, shape: tensor.dims, tensor, ints: null, name: '', first: '' };
}

/** What is not there because its branch is not taken. */
export const DEAD: Value = { type: 0, shape: null, tensor: null, ints: null, name: '', first: '' };

export function named(name: string, type: number, shape: Shape | null): Value {
  return { type, shape, tensor: null, ints: null, name, first: '' };
}

/** Whole numbers of which some may be known. A constant if all are. */
export function withInts(value: Value, ints: readonly (number | null)[] | null): Value {
  if (ints === null || ints.length > MAX_INTS || !wholeTypes.includes(value.type)) return value;
  if (!ints.every((int) => int !== null && Number.isSafeInteger(int))) return { ...value, ints };
  return constant(wholeTensor(value.type, ints as number[], value.shape ?? [ints.length]));
}

function wholeTensor(type: number, ints: readonly number[], dims: Shape): Tensor {
  if (type === elementType.INT64) return int64s(ints, dims);
  return { type, dims, bytes: typedArray(type, ints), strings: [] };
}

/** What is known of a value as whole numbers; null = nothing. */
export function intsOf({ tensor, ints, type }: Value): readonly (number | null)[] | null {
  if (tensor === null) return ints;
  if (!wholeTypes.includes(type) || tensor.dims.length > 1 || tensor.bytes.length / bytesOfElement(type) > MAX_INTS)
    return null;
  return numbersOf(tensor);
}
