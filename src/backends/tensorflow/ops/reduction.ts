import { intsOf, type Value, withInts } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import type { Shape } from '../tensor.js';

/** Where TensorFlow's axes are when channels come first. */
const FIRST_AXIS = [0, 2, 3, 1] as const;

interface Reduced {
  readonly axes: readonly number[] | null;
  readonly shape: Shape | null;
  readonly keepdims: number;
}

function reducedOf(call: Call): Reduced {
  const keeps = call.flag('keep_dims');
  const { shape } = call.input(0);
  const known = intsOf(call.input(1));
  if (shape === null || known === null || !known.every((axis) => axis !== null)) {
    return { axes: null, shape: keeps && shape !== null ? shape.map(() => -1) : null, keepdims: Number(keeps) };
  }
  const axes = (known as number[]).map((axis) => call.axis(axis, shape.length));
  const kept = shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return { axes, shape: keeps ? kept : kept.filter((_, i) => !axes.includes(i)), keepdims: Number(keeps) };
}

/** No axes at all is nothing to do, in TensorFlow. */
function reduction(onnx: string): Translate {
  return (call) => reduce(call, onnx, call.input(0));
}

function reduce(call: Call, onnx: string, value: Value): Value {
  const { axes, shape, keepdims } = reducedOf(call);
  const attributes = { keepdims, noop_with_empty_axes: 1 };
  if (axes?.length === 0) return value;
  const areChannelsKept = keepdims === 1 || (axes?.length === 2 && axes.includes(1) && axes.includes(2));
  if (value.first !== '' && axes !== null && (areChannelsKept || axes.length >= 3)) {
    const places = call.int64s(axes.map((axis) => FIRST_AXIS[axis]!));
    if (keepdims === 1) return call.emitFirst(onnx, [value.first, places], value.type, shape, attributes);
    return call.emit(onnx, [value.first, places], value.type, shape, attributes);
  }
  const places = axes === null ? axesVector(call) : call.int64s(axes);
  return call.emit(onnx, [value, places], value.type, shape, attributes);
}

/** One axis may be a scalar. */
function axesVector(call: Call): string {
  return call.emitNames('Reshape', [call.asInt64(call.input(1)), call.int64s([-1])])[0]!;
}

/** Of truth values: as whole numbers. */
function logical(onnx: string): Translate {
  return (call) => {
    const numbers = call.cast(call.input(0), elementType.INT32);
    return call.cast(reduce(call, onnx, numbers), elementType.BOOL);
  };
}

const productOf: Translate = (call) => {
  const ints = intsOf(call.input(0));
  const result = reduce(call, 'ReduceProd', call.input(0));
  const isWhole = call.input(0).shape?.length === 1 && !call.flag('keep_dims') && result.shape?.length === 0;
  if (ints === null || !isWhole) return result;
  const known = ints.every((int) => int !== null) ? (ints as number[]).reduce((all, int) => all * int, 1) : null;
  return withInts(result, [known]);
};

/** Of no axes: of each number alone. */
const norm: Translate = (call) => {
  const value = call.input(0);
  if (intsOf(call.input(1))?.length === 0) return call.emit('Abs', [value], value.type, value.shape);
  return reduce(call, 'ReduceL2', value);
};

function argument(onnx: string): Translate {
  return (call) => {
    const { shape } = call.input(0);
    const rank = call.rank(0);
    const axis = call.axis(call.inputs.length < 2 ? 0 : call.ints(1, 'axis')[0]!, rank);
    const kept = shape!.filter((_, i) => i !== axis);
    const value = floats(call, call.input(0));
    const places = call.emit(onnx, [value], elementType.INT64, kept, { axis, keepdims: 0 });
    return call.cast(places, call.typeAttribute('output_type') || elementType.INT64);
  };
}

/** Of truth values and short numbers ONNX Runtime finds no largest. */
function floats(call: Call, value: Value): Value {
  const short: readonly number[] = [elementType.BOOL, elementType.INT16, elementType.UINT16];
  return short.includes(value.type) ? call.cast(value, elementType.INT32) : value;
}

const cumulative: Translate = (call) => {
  const value = call.input(0);
  const attributes = { exclusive: Number(call.flag('exclusive')), reverse: Number(call.flag('reverse')) };
  return call.emit('CumSum', [value, call.asInt64(call.input(1))], value.type, value.shape, attributes);
};

export const reductionOps: OpTable = {
  All: logical('ReduceMin'),
  Any: logical('ReduceMax'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Cumsum: cumulative,
  EuclideanNorm: norm,
  Max: reduction('ReduceMax'),
  Mean: reduction('ReduceMean'),
  Min: reduction('ReduceMin'),
  Prod: productOf,
  Sum: reduction('ReduceSum'),
};
