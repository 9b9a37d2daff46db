import { constant, intsOf, TO_FIRST, TO_LAST, type Value, withInts } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import { isStatic, product } from '../shapes.js';
import { filled, type Shape } from '../tensor.js';

const { INT64 } = elementType;
const MAX_RANK = 32;
const MAX_PARTS = 65_536;

/** A name of the value as it is: turning it around only to look at its shape costs. */
function shapeOf(call: Call, value: Value, type: number): Value {
  const { shape } = value;
  const dims =
    value.name === '' && value.first !== '' ? sizesOfFirst(call, value) : call.emit('Shape', [value], INT64, null);
  const result = call.cast({ ...dims, shape: shape === null ? null : [shape.length] }, type);
  return withInts(result, shape === null ? null : shape.map((dim) => (dim < 0 ? null : dim)));
}

function sizesOfFirst(call: Call, value: Value): Value {
  const sizes = call.emit('Shape', [value.first], INT64, null);
  return call.emit('Gather', [sizes, call.int64s(TO_LAST)], INT64, null);
}

function sized(call: Call, value: Value, type: number): Value {
  if (isStatic(value.shape)) {
    const dims = value.shape;
    return withInts({ type, shape: [dims.length], tensor: null, ints: null, name: '', first: '' }, dims);
  }
  return shapeOf(call, value, type);
}

function outType(call: Call): number {
  return call.typeAttribute('out_type') || elementType.INT32;
}

const size: Translate = (call) => {
  const { shape } = call.input(0);
  const count = shape === null ? -1 : product(shape);
  const result = call.cast(call.emit('Size', [call.input(0)], INT64, []), outType(call));
  return withInts(result, [count < 0 ? null : count]);
};

const rank: Translate = (call) => constant(filled(elementType.INT32, call.rank(0), []));

const reshape: Translate = (call) => {
  const [value, wanted] = [call.input(0), call.input(1)];
  const ints = intsOf(wanted);
  const known = ints === null ? null : resolved(ints, value.shape);
  const result = known ?? open(wanted.shape);
  const isPlain = known !== null && known.filter((dim) => dim < 0).length <= 1 && !known.includes(0);
  const to = isPlain ? call.int64s(known) : call.asInt64(wanted);
  const reshaped = call.emit('Reshape', [value, to], value.type, result, isPlain ? {} : { allowzero: 1 });
  return withInts(reshaped, result !== null && result.length <= 1 ? intsOf(value) : null);
};

/** A shape of so many dimensions, of which no more is known. */
function open(shape: Shape | null): Shape | null {
  const rank = shape?.length === 1 ? shape[0]! : -1;
  return rank < 0 || rank > MAX_RANK ? null : new Array<number>(rank).fill(-1);
}

/** Sizes behind a reshape; the one that is -1 in the graph is worked out where all others are known. */
function resolved(ints: readonly (number | null)[], from: Shape | null): Shape {
  const dims = ints.map((int) => int ?? -1);
  const hole = dims.indexOf(-1);
  const others = product(dims.filter((_, i) => i !== hole));
  if (hole < 0 || others <= 0 || !isStatic(from)) return dims;
  return dims.map((dim, i) => (i === hole ? product(from) / others : dim));
}

const squeeze: Translate = (call) => {
  const value = call.input(0);
  const given = [...call.list('squeeze_dims'), ...call.list('axis')];
  const count = call.rank(0);
  if (given.length === 0 && value.shape!.includes(-1)) {
    throw call.refused('it takes out all dimensions of size 1, and not all sizes are known');
  }
  const axes = given.length > 0 ? given.map((axis) => call.axis(axis, count)) : ones(value.shape!);
  const shape = value.shape!.filter((_, i) => !axes.includes(i));
  if (value.first !== '' && value.name === '' && axes.includes(1) && axes.includes(2) && !axes.includes(3)) {
    const places = call.int64s(axes.map((axis) => (axis === 0 ? 0 : axis + 1)));
    return call.emit('Squeeze', [value.first, places], value.type, shape);
  }
  const squeezed = call.emit('Squeeze', [value, call.int64s(axes)], value.type, shape);
  return withInts(squeezed, intsOf(value));
};

function ones(shape: Shape): number[] {
  return shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
}

const expandDims: Translate = (call) => {
  const value = call.input(0);
  const given = call.ints(1, 'axis')[0]!;
  if (value.shape === null) return call.emit('Unsqueeze', [value, call.int64s([given])], value.type, null);
  const axis = call.axis(given, value.shape.length + 1);
  const shape = value.shape.toSpliced(axis, 0, 1);
  const expanded = call.emit('Unsqueeze', [value, call.int64s([axis])], value.type, shape);
  return withInts(expanded, shape.length === 1 ? intsOf(value) : null);
};

const transposition: Translate = (call) => {
  const value = call.input(0);
  const permutation = call.ints(1, 'dimensions');
  const is = (other: readonly number[]) => permutation.join() === other.join();
  const shape =
    value.shape === null
      ? new Array<number>(permutation.length).fill(-1)
      : permutation.map((axis) => value.shape![axis]!);
  const turned = { type: value.type, shape, tensor: null, ints: null };
  if (value.tensor === null && is(TO_LAST)) return { ...turned, name: '', first: call.builder.plain(value) };
  if (value.tensor === null && is(TO_FIRST)) return { ...turned, name: call.builder.first(value), first: '' };
  if (value.shape === null) return call.emit('Transpose', [value], value.type, shape, { perm: permutation });
  return call.transposed(value, permutation);
};

const pack: Translate = (call) => {
  const { shape, type } = call.input(0);
  const axis = shape === null ? call.int('axis', 0) : call.axis(call.int('axis', 0), shape.length + 1);
  const ints = call.inputs.map((input) => (input.shape?.length === 0 ? (intsOf(input)?.[0] ?? null) : null));
  const result = shape === null ? null : shape.toSpliced(axis, 0, call.inputs.length);
  if (ints.every((int) => int !== null) && result?.length === 1) {
    return withInts({ type, shape: result, tensor: null, ints: null, name: '', first: '' }, ints);
  }
  const place = call.int64s([axis]);
  const parts = call.inputs.map((input) => call.emit('Unsqueeze', [input, place], type, null));
  const packed = call.emit('Concat', parts, type, result, { axis });
  return withInts(packed, result?.length === 1 ? ints : null);
};

const unpack: Translate = (call) => {
  const value = call.input(0);
  const axis = call.axis(call.int('axis', 0), call.rank(0));
  const count = call.int('num', 0);
  if (!(count >= 0 && count <= MAX_PARTS)) throw call.refused(`${count} parts`);
  const shape = value.shape!.filter((_, i) => i !== axis);
  const known = intsOf(value);
  return Array.from({ length: count }, (_, i) => {
    const place = call.builder.write(filled(INT64, i, []));
    const part = call.emit('Gather', [value, place], value.type, shape, { axis });
    return withInts(part, known === null ? null : [known[i] ?? null]);
  });
};

const fill: Translate = (call) => {
  const [dims, value] = [call.input(0), call.input(1)];
  const ints = intsOf(dims);
  const shape = ints?.map((int) => int ?? -1) ?? open(dims.shape);
  return call.emit('Expand', [value, call.asInt64(dims)], value.type, shape);
};

const broadcastTo: Translate = (call) => {
  const [value, dims] = [call.input(0), call.input(1)];
  const shape = intsOf(dims)?.map((int) => int ?? -1) ?? open(dims.shape);
  return call.emit('Expand', [value, call.asInt64(dims)], value.type, shape);
};

const range: Translate = (call) => {
  const { type } = call.input(0);
  const ints = call.inputs.map((input) => intsOf(input)?.[0] ?? null);
  const [start, limit, delta] = ints as [number | null, number | null, number | null];
  const isKnown = start !== null && limit !== null && delta !== null && delta !== 0;
  const count = isKnown ? Math.max(0, Math.ceil((limit - start) / delta)) : -1;
  const result = call.emit('Range', [...call.inputs], type, [count]);
  if (!isKnown || count > 64) return result;
  return withInts(
    result,
    Array.from({ length: count }, (_, i) => start + i * delta),
  );
};

const tile: Translate = (call) => {
  const [value, repeats] = [call.input(0), call.input(1)];
  const known = intsOf(repeats);
  const times = (dim: number, i: number) => (dim < 0 || (known?.[i] ?? null) === null ? -1 : dim * known![i]!);
  const shape = value.shape === null ? null : value.shape.map(times);
  return call.emit('Tile', [value, call.asInt64(repeats)], value.type, shape);
};

/** Zeros or ones of the shape of another. */
function like(number: number): Translate {
  return (call) => {
    const value = call.input(0);
    if (value.type === elementType.STRING) throw call.refused('strings of another shape');
    const type = call.typeAttribute('dtype') || value.type;
    const dims = sized(call, value, INT64);
    return call.emit('Expand', [call.scalar(number, type), dims], type, value.shape);
  };
}

const cast: Translate = (call) => {
  const to = call.typeAttribute('DstT');
  const ints = intsOf(call.input(0));
  const result = call.cast(call.input(0), to);
  return withInts(result, ints);
};

export const shapeOps: OpTable = {
  BroadcastTo: broadcastTo,
  Cast: cast,
  ExpandDims: expandDims,
  Fill: fill,
  OnesLike: like(1),
  Pack: pack,
  Range: range,
  Rank: rank,
  Reshape: reshape,
  Shape: (call) => sized(call, call.input(0), outType(call)),
  ShapeN: (call) => call.inputs.map((input) => sized(call, input, outType(call))),
  Size: size,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transposition,
  Unpack: unpack,
  ZerosLike: like(0),
};
