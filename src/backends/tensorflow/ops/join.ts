import { constant, intsOf, type Value, withInts } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import { product } from '../shapes.js';
import { int64s, type Shape } from '../tensor.js';

const { INT64, BOOL, FLOAT } = elementType;

/** A node of the file is a few bytes: what it makes is bounded. */
const MAX_DEPTH = 2 ** 24;
const MAX_PARTS = 65_536;

/** Where an axis is when channels come first. */
const FIRST_AXIS = [0, 2, 3, 1] as const;

function concat(call: Call, values: readonly Value[], given: number): Value {
  const { type } = values[0]!;
  if (values.length === 1) return values[0]!;
  const rank = values.find(({ shape }) => shape !== null)?.shape?.length;
  const axis = rank === undefined ? given : call.axis(given, rank);
  const shape = joinedShape(values, axis);
  if (rank === 4 && values.some(({ first }) => first !== '')) {
    const names = values.map((value) => call.builder.first(value));
    return call.emitFirst('Concat', names, type, shape, { axis: FIRST_AXIS[axis]! });
  }
  const joined = call.emit('Concat', values, type, shape, { axis });
  const ints = values.map(intsOf);
  return withInts(joined, rank === 1 && ints.some((known) => known !== null) ? joinedInts(values) : null);
}

function joinedInts(values: readonly Value[]): (number | null)[] | null {
  const parts = values.map((value) => intsOf(value) ?? unknown(value.shape?.[0] ?? -1));
  return parts.every((part) => part !== null) ? parts.flat() : null;
}

function unknown(count: number): null[] | null {
  return count < 0 ? null : new Array<null>(count).fill(null);
}

function joinedShape(values: readonly Value[], axis: number): Shape | null {
  const shapes = values.map(({ shape }) => shape).filter((shape) => shape !== null);
  if (shapes.length === 0) return null;
  const sum = values.reduce((all, { shape }) => (all < 0 || (shape?.[axis] ?? -1) < 0 ? -1 : all + shape![axis]!), 0);
  return shapes[0]!.map((_, i) => (i === axis ? sum : (shapes.find((shape) => shape[i]! >= 0)?.[i] ?? -1)));
}

/** @param sizes of the parts; null = all are the same */
function split(call: Call, value: Value, given: number, count: number, sizes: readonly number[] | null): Value[] {
  if (value.shape === null) throw call.refused('the rank of what is split is not known');
  const axis = call.axis(given, value.shape.length);
  if (count === 1) return [value];
  if (!(count > 0 && count <= MAX_PARTS)) throw call.refused(`${count} parts`);
  const whole = value.shape[axis]!;
  const even = whole < 0 ? -1 : whole / count;
  const shapeOf = (i: number) => value.shape!.with(axis, sizes?.[i] ?? even);
  const isFirst = value.first !== '' && value.name === '';
  const parts = sizes === null ? [] : [call.int64s(sizes)];
  const attributes = { axis: isFirst ? FIRST_AXIS[axis]! : axis, ...(sizes === null ? { num_outputs: count } : {}) };
  const input = isFirst ? value.first : call.builder.plain(value);
  const names = call.emitNames('Split', [input, ...parts], attributes, count);
  return names.map((name, i) => ({
    type: value.type,
    shape: shapeOf(i),
    tensor: null,
    ints: null,
    name: isFirst ? '' : name,
    first: isFirst ? name : '',
  }));
}

const splitV: Translate = (call) => {
  const value = call.input(0);
  const sizes = call.ints(1, 'sizes');
  const axis = call.ints(2, 'axis')[0]!;
  const open = sizes.indexOf(-1);
  if (open < 0) return split(call, value, axis, sizes.length, sizes);
  const whole = value.shape?.[call.axis(axis, call.rank(0))] ?? -1;
  if (whole < 0) throw call.refused('the size of one part is left open, and that of the whole is not known');
  const rest = whole - sizes.reduce((sum, size) => sum + size, 1);
  return split(call, value, axis, sizes.length, sizes.with(open, rest));
};

function pad(call: Call, mode: string, fill: Value | null): Value {
  const [value, pads] = [call.input(0), call.input(1)];
  const known = pads.tensor === null ? null : call.ints(1, 'paddings');
  const others = fill === null ? [] : [call.builder.plain(fill)];
  if (known === null) {
    const turned = call.transposed(call.cast(pads, INT64), [1, 0]);
    const flat = call.emit('Reshape', [turned, call.int64s([-1])], INT64, null);
    return call.emit('Pad', [value, flat, ...others], value.type, value.shape?.map(() => -1) ?? null, { mode });
  }
  const before = known.filter((_, i) => i % 2 === 0);
  const after = known.filter((_, i) => i % 2 === 1);
  const shape = value.shape?.map((dim, i) => (dim < 0 ? -1 : dim + before[i]! + after[i]!)) ?? null;
  if (value.first !== '' && value.name === '') {
    const turned = [0, 3, 1, 2].map((axis) => before[axis]!).concat([0, 3, 1, 2].map((axis) => after[axis]!));
    return call.emitFirst('Pad', [value.first, call.int64s(turned), ...others], value.type, shape, { mode });
  }
  return call.emit('Pad', [value, call.int64s([...before, ...after]), ...others], value.type, shape, { mode });
}

/** SYMMETRIC repeats the border itself: of one element, that is what ONNX calls edge. */
const mirrorPad: Translate = (call) => {
  if (call.text('mode', '') === 'REFLECT') return pad(call, 'reflect', null);
  if (call.ints(1, 'paddings').every((count) => count <= 1)) return pad(call, 'edge', null);
  throw call.refused('mode SYMMETRIC with more than one element, which ONNX does not have');
};

/** ONNX counts places below zero from the end, and TensorFlow has nothing there: so they are compared. */
const oneHot: Translate = (call) => {
  const [on, off] = [call.input(2), call.input(3)];
  const depth = call.ints(1, 'depth')[0]!;
  if (!(depth >= 0 && depth <= MAX_DEPTH)) throw call.refused(`a depth of ${depth}`);
  const rank = call.rank(0);
  const axis = call.axis(call.int('axis', -1), rank + 1);
  const shape = call.input(0).shape!.toSpliced(axis, 0, depth);
  const places = call.cast(call.input(0), INT64);
  const expanded = call.emit('Unsqueeze', [places, call.int64s([axis])], INT64, null);
  const dims = shape.map((_, i) => (i === axis ? depth : 1));
  const counted = constant(
    int64s(
      Array.from({ length: depth }, (_, i) => i),
      dims,
    ),
  );
  const isThere = call.emit('Equal', [expanded, counted], BOOL, shape);
  return call.emit('Where', [isThere, on, off], on.type, shape);
};

const topK: Translate = (call) => {
  const value = call.input(0);
  const known = intsOf(call.input(1));
  const k = call.emit('Reshape', [call.asInt64(call.input(1)), call.int64s([1])], INT64, [1]);
  const shape = value.shape?.with(-1, known?.[0] ?? -1) ?? null;
  const [values, places] = call.emitNames('TopK', [value, k], { axis: -1 }, 2) as [string, string];
  const outputs = [values, places].map((name) => ({ shape, tensor: null, ints: null, name, first: '' }));
  const type = call.typeAttribute('index_type') || elementType.INT32;
  return [{ ...outputs[0]!, type: value.type }, call.cast({ ...outputs[1]!, type: INT64 }, type)];
};

const where: Translate = (call) => {
  const rank = call.rank(0);
  const { type } = call.input(0);
  const value = type === BOOL ? call.input(0) : call.cast(call.input(0), type === FLOAT ? BOOL : INT64);
  const places = call.emit('NonZero', [value], INT64, [rank, -1]);
  return call.transposed(places, [1, 0]);
};

/** Blocks of the image become images of the batch. */
const spaceToBatch: Translate = (call) => {
  const { blocks, limits, value, dims } = blockwise(call);
  const padded = dims.map((dim, i) => dim + limits[2 * i]! + limits[2 * i + 1]!);
  const rest = value.shape!.slice(1 + blocks.length);
  const m = blocks.length;
  const pads = [0, ...even(limits), ...rest.map(() => 0), 0, ...odd(limits), ...rest.map(() => 0)];
  const wide = call.emit('Pad', [value, call.int64s(pads)], value.type, null);
  const inner = padded.flatMap((dim, i) => [dim / blocks[i]!, blocks[i]!]);
  const apart = call.emit('Reshape', [wide, call.int64s([-1, ...inner, ...rest])], value.type, null);
  const axes = blocks
    .map((_, i) => 2 * i + 2)
    .concat(
      [0],
      blocks.map((_, i) => 2 * i + 1),
      rest.map((_, i) => 2 * m + 1 + i),
    );
  const turned = call.emit('Transpose', [apart], value.type, null, { perm: axes });
  const shape = [-1, ...padded.map((dim, i) => dim / blocks[i]!), ...rest];
  return call.emit('Reshape', [turned, call.int64s(shape)], value.type, shape);
};

const batchToSpace: Translate = (call) => {
  const { blocks, limits, value, dims } = blockwise(call);
  const rest = value.shape!.slice(1 + blocks.length);
  const m = blocks.length;
  const apart = call.emit('Reshape', [value, call.int64s([...blocks, -1, ...dims, ...rest])], value.type, null);
  const axes = [m, ...blocks.flatMap((_, i) => [m + 1 + i, i]), ...rest.map((_, i) => 2 * m + 1 + i)];
  const turned = call.emit('Transpose', [apart], value.type, null, { perm: axes });
  const whole = dims.map((dim, i) => dim * blocks[i]!);
  const together = call.emit('Reshape', [turned, call.int64s([-1, ...whole, ...rest])], value.type, null);
  const ends = whole.map((dim, i) => dim - limits[2 * i + 1]!);
  const shape = [-1, ...ends.map((end, i) => end - limits[2 * i]!), ...rest];
  const places = [even(limits), ends, blocks.map((_, i) => i + 1)].map((list) => call.int64s(list));
  return call.emit('Slice', [together, ...places], value.type, shape);
};

const even = (list: readonly number[]) => list.filter((_, i) => i % 2 === 0);
const odd = (list: readonly number[]) => list.filter((_, i) => i % 2 === 1);

function blockwise(call: Call) {
  const value = call.input(0);
  const blocks = call.ints(1, 'block sizes');
  const limits = call.ints(2, 'paddings or crops');
  call.rank(0);
  if (product(value.shape!.slice(1)) < 0) throw call.refused('the size of its images is not known');
  return { value, blocks, limits, dims: value.shape!.slice(1, 1 + blocks.length) };
}

export const joinOps: OpTable = {
  BatchToSpaceND: batchToSpace,
  Concat: (call) => concat(call, call.inputs.slice(1), call.ints(0, 'axis')[0]!),
  ConcatV2: (call) => concat(call, call.inputs.slice(0, -1), call.ints(call.inputs.length - 1, 'axis')[0]!),
  MirrorPad: mirrorPad,
  OneHot: oneHot,
  Pad: (call) => pad(call, 'constant', null),
  PadV2: (call) => pad(call, 'constant', call.input(2)),
  SpaceToBatchND: spaceToBatch,
  Split: (call) => split(call, call.input(1), call.ints(0, 'axis')[0]!, call.int('num_split', 1), null),
  SplitV: splitV,
  TopKV2: topK,
  Where: where,
};
