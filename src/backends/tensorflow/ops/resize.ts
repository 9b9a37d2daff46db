import { constant, intsOf, named, type Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import { filled, type Shape } from '../tensor.js';

const { BOOL, FLOAT, DOUBLE, INT64 } = elementType;

/** TensorFlow has weights of its cubic at so many places between two pixels. */
const TABLE_STEPS = 1024;
/** The cubic of Keys and the older one: see tensorflow/core/kernels/image/resize_bicubic_op.cc. */
const KEYS = -0.5;
const LEGACY = -0.75;
/** Behind the end of every side. */
const BEYOND = 1e30;

/** What ONNX has too. */
function resize(mode: string): Translate {
  return (call) => {
    const isLinear = mode === 'linear';
    const value = isLinear ? call.cast(call.input(0), FLOAT) : call.input(0);
    const [align, half] = [call.flag('align_corners'), call.flag('half_pixel_centers')];
    const attributes = {
      mode,
      coordinate_transformation_mode: align ? 'align_corners' : half ? 'half_pixel' : 'asymmetric',
      ...(isLinear ? {} : { nearest_mode: align || half ? 'round_prefer_ceil' : 'floor' }),
    };
    const first = call.builder.first(value);
    const inputs = [first, '', '', wholeSizes(call, first)];
    return call.emitFirst('Resize', inputs, value.type, resizedShape(call), attributes);
  };
}

/** Batch and channels as they are, then height and width. */
function wholeSizes(call: Call, first: string): string {
  const sizes = call.emitNames('Shape', [first], { start: 0, end: 2 });
  return call.emitNames('Concat', [sizes[0]!, call.asInt64(call.input(1))], { axis: 0 })[0]!;
}

function resizedShape(call: Call): Shape {
  const { shape } = call.input(0);
  const sizes = intsOf(call.input(1));
  return [shape?.[0] ?? -1, sizes?.[0] ?? -1, sizes?.[1] ?? -1, shape?.[3] ?? -1];
}

/** One side of images before and after, in pixels: FLOAT of rank 0. ONNX Runtime folds what is made of constants. */
interface Side {
  readonly from: Value;
  readonly to: Value;
  /** Pixels of the input to one of the output. */
  readonly scale: Value;
}

type Weigh = (maths: Maths, side: Side) => Value;

/** Each output pixel is a weighted sum of input pixels, along height and then along width: [N, C, H, W] between two matrices. */
function weighted(weigh: Weigh): Translate {
  return (call) => {
    const first = call.builder.first(call.cast(call.input(0), FLOAT));
    const maths = new Maths(call);
    const [rows, columns] = [0, 1].map((i) => weigh(maths, sideOf(maths, first, i))) as [Value, Value];
    const wide = call.emit('MatMul', [rows, first], FLOAT, null);
    const turned = call.emitNames('Transpose', [columns], { perm: [1, 0] })[0]!;
    return call.emitFirst('MatMul', [call.builder.plain(wide), turned], FLOAT, resizedShape(call));
  };
}

/** @param first the images with channels first @param i 0 = height, 1 = width */
function sideOf(maths: Maths, first: string, i: number): Side {
  const { call } = maths;
  const known = call.input(0).shape?.[1 + i] ?? -1;
  const from = known < 0 ? maths.lengthOf(first, 2 + i) : maths.number(known);
  const wanted = intsOf(call.input(1))?.[i] ?? null;
  const to = wanted === null ? maths.element(call.input(1), i) : maths.number(wanted);
  if (!call.flag('align_corners')) return { from, to, scale: maths.of('Div', from, to) };
  // First and last pixels fall together, where there are two on both sides.
  const isMany = maths.is('Greater', maths.of('Min', from, to), maths.number(1));
  const less = call.cast(isMany, FLOAT);
  return { from, to, scale: maths.of('Div', maths.of('Sub', from, less), maths.of('Sub', to, less)) };
}

/** [to, from]: each row a cubic around the place where its pixel lies in the input. */
function cubicWeights(maths: Maths, side: Side): Value {
  const isHalf = maths.call.flag('half_pixel_centers');
  const shift = maths.number(isHalf ? 0.5 : 0);
  const centres = maths.of('Sub', maths.of('Mul', maths.of('Add', maths.count(side.to), shift), side.scale), shift);
  const before = maths.one('Floor', centres);
  const steps = maths.number(TABLE_STEPS);
  const between = maths.one('Round', maths.of('Mul', maths.of('Sub', centres, before), steps));
  const at = maths.column(maths.of('Add', before, maths.of('Div', between, steps)));
  if (!isHalf) return clamped(maths, side, at);
  // What lies outside counts for nothing, and the rest for all.
  const weights = cubic(maths, maths.of('Sub', at, maths.count(side.from)), KEYS);
  const sums = maths.emit('ReduceSum', [weights, maths.call.int64s([1])], FLOAT);
  return maths.of('Div', weights, sums);
}

/** The pixels on the border stand for those outside: one before it and two behind it. */
function clamped(maths: Maths, { from }: Side, at: Value): Value {
  const { call } = maths;
  const pixels = maths.range(maths.number(-1), maths.of('Add', from, maths.number(2)));
  const weights = cubic(maths, maths.of('Sub', at, pixels), LEGACY);
  const last = maths.of('Sub', from, maths.number(1));
  const inside = maths.emit('Clip', [pixels, maths.number(0), last], FLOAT);
  const isOf = maths.is('Equal', maths.column(inside), maths.count(from));
  return maths.of('MatMul', weights, call.cast(isOf, FLOAT));
}

/** Weights at some distance, in pixels. Both parts are 0 where they meet, and behind 2. In DOUBLE: terms cancel. */
function cubic({ call }: Maths, offsets: Value, a: number): Value {
  const number = (value: number) => call.scalar(value, DOUBLE);
  const of = (op: string, ...inputs: (Value | string)[]) => call.emit(op, inputs, DOUBLE, null);
  const distance = of('Abs', call.cast(offsets, DOUBLE));
  const near = of('Min', distance, number(1));
  const far = of('Clip', distance, number(1), number(2));
  const steep = of('Sub', of('Mul', near, number(a + 2)), number(a + 3));
  const inner = of('Add', of('Mul', of('Mul', steep, near), near), number(1));
  const flat = of('Add', of('Mul', of('Sub', of('Mul', far, number(a)), number(5 * a)), far), number(8 * a));
  const outer = of('Sub', of('Mul', flat, far), number(4 * a));
  return call.cast(of('Add', inner, outer), FLOAT);
}

/** [to, from]: how much of each input pixel an output pixel covers. The last stands also for all behind it. */
function areaWeights(maths: Maths, { from, to, scale }: Side): Value {
  const [begins, ends] = [0, 1].map((i) =>
    maths.column(maths.of('Mul', maths.of('Add', maths.count(to), maths.number(i)), scale)),
  ) as [Value, Value];
  const next = maths.range(maths.number(1), from);
  const limits = maths.emit('Concat', [next, constant(filled(FLOAT, BEYOND, [1]))], FLOAT, { axis: 0 });
  const pixels = maths.count(from);
  const covered = maths.of('Sub', maths.of('Min', limits, ends), maths.of('Max', pixels, begins));
  // The difference of two large numbers would be less exact.
  const [isBehind, isBefore] = [maths.is('Greater', begins, pixels), maths.is('Less', ends, limits)];
  const isWithin = maths.is('And', isBehind, isBefore);
  const weights = maths.emit('Where', [isWithin, scale, maths.one('Relu', covered)], FLOAT);
  return maths.of('Div', weights, scale);
}

/** FLOATs in the graph. */
class Maths {
  readonly call: Call;

  constructor(call: Call) {
    this.call = call;
  }

  number(value: number): Value {
    return constant(filled(FLOAT, value, []));
  }

  emit(op: string, inputs: readonly (Value | string)[], type: number, attributes = {}): Value {
    return this.call.emit(op, inputs, type, null, attributes);
  }

  one(op: string, value: Value): Value {
    return this.emit(op, [value], FLOAT);
  }

  of(op: string, a: Value, b: Value): Value {
    return this.emit(op, [a, b], FLOAT);
  }

  is(op: string, a: Value, b: Value): Value {
    return this.emit(op, [a, b], BOOL);
  }

  /** 0, 1, ... below a number. */
  count(limit: Value): Value {
    return this.range(this.number(0), limit);
  }

  range(start: Value, limit: Value): Value {
    return this.emit('Range', [start, limit, this.number(1)], FLOAT);
  }

  column(row: Value): Value {
    return this.emit('Unsqueeze', [row, this.call.int64s([1])], FLOAT);
  }

  element(list: Value, index: number): Value {
    const one = this.call.emit('Gather', [list, this.call.scalar(index, INT64)], list.type, []);
    return this.call.cast(one, FLOAT);
  }

  lengthOf(name: string, axis: number): Value {
    const sizes = this.call.emitNames('Shape', [name])[0]!;
    return this.element(named(sizes, INT64, [-1]), axis);
  }
}

export const resizeOps: OpTable = {
  ResizeArea: weighted(areaWeights),
  ResizeBicubic: weighted(cubicWeights),
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
};
