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
/** A node of the file is a few bytes: the matrix that it makes is bounded. */
const MAX_WEIGHTS = 2 ** 26;
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
function weighted(call: Call, weigh: Weigh, isBordered = false): Value {
  const first = call.builder.first(call.cast(call.input(0), FLOAT));
  const maths = new Maths(call);
  const [rows, columns] = [0, 1].map((i) => weigh(maths, sideOf(maths, first, i))) as [Value, Value];
  const images = isBordered ? bordered(call, first) : first;
  const turned = call.emit('Transpose', [columns], FLOAT, null, { perm: [1, 0] });
  const names = [call.emitNames('MatMul', [rows, images])[0]!, call.builder.plain(turned)];
  return call.emitFirst('MatMul', names, FLOAT, resizedShape(call));
}

/** The pixels on the border stand for those outside: one before them and two behind. */
function bordered(call: Call, first: string): string {
  return call.emitNames('Pad', [first, call.int64s([0, 0, 1, 1, 0, 0, 2, 2])], { mode: 'edge' })[0]!;
}

/** @param first the images with channels first @param i 0 = height, 1 = width */
function sideOf(maths: Maths, first: string, i: number): Side {
  const { call } = maths;
  const known = call.input(0).shape?.[1 + i] ?? -1;
  const from = known < 0 ? maths.lengthOf(first, 2 + i) : maths.number(known);
  const wanted = intsOf(call.input(1))?.[i] ?? null;
  if (wanted !== null && !(wanted > 0 && Math.max(1, known) * wanted <= MAX_WEIGHTS)) {
    throw call.refused(`a side of ${known < 0 ? 'any number of' : known} pixels made ${wanted}`);
  }
  const to = wanted === null ? maths.element(call.input(1), i) : maths.number(wanted);
  if (!call.flag('align_corners')) return { from, to, scale: maths.of('Div', from, to) };
  // First and last pixels fall together, where there are two on both sides.
  const isMany = maths.is('Greater', maths.of('Min', from, to), maths.number(1));
  const less = call.cast(isMany, FLOAT);
  return { from, to, scale: maths.of('Div', maths.of('Sub', from, less), maths.of('Sub', to, less)) };
}

const cubic: Translate = (call) => {
  const isHalf = call.flag('half_pixel_centers');
  return weighted(call, isHalf ? keysWeights : legacyWeights, !isHalf);
};

/** [to, from]: each row a cubic around the place of its pixel. What lies outside counts for nothing, and the rest for all. */
function keysWeights(maths: Maths, side: Side): Value {
  const places = placesOf(maths, side, 0.5);
  const weights = weightsAt(maths, maths.of('Sub', places, maths.count(side.from)), KEYS);
  const sums = maths.emit('ReduceSum', [weights, maths.call.int64s([1])], FLOAT);
  return maths.of('Div', weights, sums);
}

/** [to, from + 3]: of images with a border. */
function legacyWeights(maths: Maths, side: Side): Value {
  const pixels = maths.range(maths.number(-1), maths.of('Add', side.from, maths.number(2)));
  return weightsAt(maths, maths.of('Sub', placesOf(maths, side, 0), pixels), LEGACY);
}

/** [to, 1]: where each pixel of the output lies in the input, as exactly as the table has it. @param centre of a pixel */
function placesOf(maths: Maths, { to, scale }: Side, centre: number): Value {
  const shift = maths.number(centre);
  const places = maths.of('Sub', maths.of('Mul', maths.of('Add', maths.count(to), shift), scale), shift);
  const before = maths.one('Floor', places);
  const steps = maths.number(TABLE_STEPS);
  const between = maths.one('Round', maths.of('Mul', maths.of('Sub', places, before), steps));
  return maths.column(maths.of('Add', before, maths.of('Div', between, steps)));
}

/** Weights of a cubic at some distance, in pixels. Both parts are 0 where they meet, and behind 2. In DOUBLE: terms cancel. */
function weightsAt({ call }: Maths, offsets: Value, a: number): Value {
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
  ResizeArea: (call) => weighted(call, areaWeights),
  ResizeBicubic: cubic,
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
};
