import { named, type Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import type { OnnxAttributes } from '../onnx-writer.js';
import { samePads, windowed } from '../shapes.js';
import { type Shape, typedArray } from '../tensor.js';

/** Height and width of a node that steps over images, or depth, height and width of volumes, whichever way they lie. */
interface Window {
  readonly isFirst: boolean;
  /** Places of the sides in the node's attributes and in the shape of its images. */
  readonly sides: readonly number[];
  /** Place of the channels. */
  readonly channels: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: string;
}

const formats: readonly string[] = ['NHWC', 'NCHW', 'NDHWC', 'NCDHW'];

function windowOf(call: Call, strides = call.list('strides')): Window {
  const format = call.text('data_format', call.op.includes('3D') ? 'NDHWC' : 'NHWC');
  if (!formats.includes(format)) throw call.refused(`data_format ${format}`);
  const channels = format.indexOf('C');
  const isFirst = channels === 1;
  const sides = [...format].flatMap((letter, i) => (letter === 'N' || letter === 'C' ? [] : [i]));
  const pick = (list: readonly number[]) => sides.map((side) => list[side] ?? 1);
  const dilations = pick(call.list('dilations'));
  if ([...pick(strides), ...dilations].some((step) => step < 1)) throw call.refused('a stride or dilation below 1');
  return { isFirst, sides, channels, strides: pick(strides), dilations, padding: call.text('padding', 'VALID') };
}

/** ONNX's name of images with channels first. Volumes are turned around for each node, and back: ONNX Runtime takes out what undoes itself. */
function images(call: Call, value: Value, { isFirst, sides, channels }: Window): string {
  if (isFirst) return call.builder.plain(value);
  if (sides.length === 2) return call.builder.first(value);
  return call.builder.plain(call.transposed(value, [0, channels, ...sides]));
}

/** One node on images, whose output lies as its input does in TensorFlow. */
function emitImages(
  call: Call,
  { isFirst, sides }: Window,
  op: string,
  inputs: readonly string[],
  type: number,
  shape: Shape,
  attributes: OnnxAttributes,
  outputs = 1,
): Value {
  const name = call.emitNames(op, inputs, attributes, outputs)[0]!;
  if (isFirst) return named(name, type, shape);
  if (sides.length > 2) return call.emit('Transpose', [name], type, shape, { perm: [0, 2, 3, 4, 1] });
  return { type, shape, tensor: null, ints: null, name: '', first: name };
}

/** Zeros around images: written out where the sizes are known, else worked out by ONNX Runtime. */
function padsOf(call: Call, window: Window, size: Shape | null, kernel: readonly number[]): OnnxAttributes {
  const { padding, sides, strides } = window;
  if (padding === 'VALID') return {};
  if (padding === 'EXPLICIT') {
    const all = call.list('explicit_paddings');
    return { pads: [...sides.map((side) => all[2 * side]!), ...sides.map((side) => all[2 * side + 1]!)] };
  }
  if (padding !== 'SAME') throw call.refused(`padding ${padding}`);
  const sizes = sides.map((side) => size?.[side] ?? -1);
  // Steps of one need the same zeros whatever the size.
  const isKnown = sizes.every((length, i) => length >= 0 || strides[i] === 1);
  if (!isKnown && window.dilations.some((dilation) => dilation > 1)) {
    throw call.refused('dilations with strides, on images whose size is not known');
  }
  if (!isKnown) return { auto_pad: 'SAME_UPPER' };
  const pads = sizes.map((length, i) => samePads(Math.max(1, length), kernel[i]!, strides[i]!));
  return { pads: [...pads.map(([before]) => before), ...pads.map(([, after]) => after)] };
}

function outputShape(
  call: Call,
  window: Window,
  from: Shape | null,
  kernel: readonly number[],
  channels: number,
): Shape {
  const { isFirst, sides, strides, padding } = window;
  const pads = call.list('explicit_paddings');
  const lengths = sides.map((side, i) => {
    const extra = padding === 'EXPLICIT' ? pads[2 * side]! + pads[2 * side + 1]! : 0;
    return windowed(from?.[side] ?? -1, kernel[i]!, strides[i]!, padding, extra);
  });
  return arranged(isFirst, from?.[0] ?? -1, lengths, channels);
}

function arranged(isFirst: boolean, batch: number, lengths: readonly number[], channels: number): Shape {
  return isFirst ? [batch, channels, ...lengths] : [batch, ...lengths, channels];
}

/** What lies behind one point of the images: sides, channels of the input, channels of the output. */
interface Filter {
  readonly kernel: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** Throws UNSUPPORTED where the sizes of the filter are not known. */
function filterOf(call: Call, { sides }: Window): Filter {
  const { shape } = call.input(1);
  if (shape?.length !== sides.length + 2 || shape.includes(-1)) {
    throw call.refused('the sizes of its filter are not known');
  }
  return { kernel: shape.slice(0, -2), from: shape.at(-2)!, to: shape.at(-1)! };
}

/** The filter with both kinds of channels before the sides. @param order of the channels */
function turnedFilter(call: Call, { sides }: Window, order: 'from first' | 'to first'): Value {
  const count = sides.length;
  const channels = order === 'from first' ? [count, count + 1] : [count + 1, count];
  return call.transposed(call.input(1), [...channels, ...sides.map((_, i) => i)]);
}

const conv: Translate = (call) => {
  const window = windowOf(call);
  const { kernel, from, to } = filterOf(call, window);
  const weights = call.builder.plain(turnedFilter(call, window, 'to first'));
  const channels = call.input(0).shape?.[window.channels] ?? -1;
  return convolved(call, window, weights, kernel, to, channels > 0 ? channels / from : 1);
};

function convolved(
  call: Call,
  window: Window,
  weights: string,
  kernel: readonly number[],
  channels: number,
  group: number,
): Value {
  const value = call.input(0);
  const { strides, dilations } = window;
  const extent = kernel.map((length, i) => (length - 1) * dilations[i]! + 1);
  const attributes = {
    kernel_shape: kernel,
    strides,
    dilations,
    group,
    ...padsOf(call, window, value.shape, extent),
  };
  const shape = outputShape(call, window, value.shape, extent, channels);
  return emitImages(call, window, 'Conv', [images(call, value, window), weights], value.type, shape, attributes);
}

/** Each channel has filters of its own: as many groups as channels. */
const depthwise: Translate = (call) => {
  const window = windowOf(call);
  const { kernel, from, to } = filterOf(call, window);
  const turned = turnedFilter(call, window, 'from first');
  const dims = [from * to, 1, ...kernel];
  const weights =
    turned.tensor === null
      ? call.emitNames('Reshape', [turned, call.int64s(dims)])[0]!
      : call.builder.write({ ...turned.tensor, dims });
  return convolved(call, window, weights, kernel, from * to, from);
};

/** The gradient of a convolution: what TensorFlow calls transposed. */
const convTranspose: Translate = (call) => {
  const window = windowOf(call);
  const value = call.input(2);
  const { kernel, from } = filterOf(call, window);
  const wanted = outputSizes(call, window);
  const { strides, dilations, padding } = window;
  const extent = kernel.map((length, i) => (length - 1) * dilations[i]! + 1);
  if (padding !== 'SAME' && padding !== 'VALID') throw call.refused(`padding ${padding}`);
  const pads = wanted.map((size, i) => (padding === 'SAME' ? samePads(size, extent[i]!, strides[i]!) : [0, 0]));
  const steps = wanted.map((size, i) => windowed(size, extent[i]!, strides[i]!, padding));
  const beyond = wanted.map(
    (size, i) => size - ((steps[i]! - 1) * strides[i]! + extent[i]! - pads[i]![0]! - pads[i]![1]!),
  );
  const attributes = {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...pads.map((pair) => pair[0]!), ...pads.map((pair) => pair[1]!)],
    output_padding: beyond,
  };
  const weights = call.builder.plain(turnedFilter(call, window, 'to first'));
  const shape = arranged(window.isFirst, value.shape?.[0] ?? -1, wanted, from);
  const inputs = [images(call, value, window), weights];
  return emitImages(call, window, 'ConvTranspose', inputs, value.type, shape, attributes);
};

/** The first input is the whole shape, or that of the sides. */
function outputSizes(call: Call, { sides }: Window): number[] {
  const { shape, ints, tensor } = call.input(0);
  const known = tensor === null ? ints : call.ints(0, 'sizes');
  const sizes = shape?.[0] === sides.length ? known : known === null ? null : sides.map((side) => known[side] ?? null);
  if (sizes?.every((size) => size !== null)) return sizes as number[];
  throw call.refused('the sizes of its output are not known');
}

function pool(onnx: string): Translate {
  return (call) => {
    const value = call.input(0);
    const isLater = call.inputs.length > 1;
    const window = windowOf(call, isLater ? call.ints(2, 'strides') : call.list('strides'));
    const sizes = isLater ? call.ints(1, 'window sizes') : call.list('ksize');
    const { sides, strides } = window;
    const kernel = sides.map((side) => sizes[side] ?? 1);
    if ((sizes[0] ?? 1) !== 1 || (sizes[window.channels] ?? 1) !== 1)
      throw call.refused('a window over batch or channels');
    const channels = value.shape?.[window.channels] ?? -1;
    const shape = outputShape(call, window, value.shape, kernel, channels);
    const inputs = [images(call, value, window)];
    if (onnx === 'MaxPool') return largest(call, window, kernel, inputs, shape);
    const attributes = { kernel_shape: kernel, strides, ...padsOf(call, window, value.shape, kernel) };
    return emitImages(call, window, onnx, inputs, value.type, shape, attributes);
  };
}

/**
 * Zeros that a node before it puts around images can be the largest. ONNX Runtime moves them into a pooling whose pads are written
 * out, where they never are. It leaves alone one that has a name for its padding, and one that says also where the largest are.
 */
function largest(
  call: Call,
  window: Window,
  kernel: readonly number[],
  inputs: readonly string[],
  shape: Shape,
): Value {
  const { type, shape: size } = call.input(0);
  const { padding, strides } = window;
  const pads = padsOf(call, window, size, kernel);
  const name = padding === 'VALID' ? 'VALID' : 'SAME_UPPER';
  const isNamed = padding !== 'EXPLICIT';
  const attributes = { kernel_shape: kernel, strides, ...(isNamed ? { auto_pad: name } : pads) };
  return emitImages(call, window, 'MaxPool', inputs, type, shape, attributes, isNamed ? 1 : 2);
}

/** Further outputs are for training. */
const batchNorm: Translate = (call) => {
  if (call.attribute('is_training').b ?? true) throw call.refused('is_training: freeze the graph for inference');
  const value = call.input(0);
  const window = windowOf(call);
  const shape = value.shape ?? [-1, -1, ...window.sides.map(() => -1)];
  const parameters = [1, 2, 3, 4].map((i) => call.builder.plain(call.input(i)));
  const inputs = [images(call, value, window), ...parameters];
  const attributes = { epsilon: { float: call.float('epsilon', 1e-4) } };
  const result = emitImages(call, window, 'BatchNormalization', inputs, value.type, shape, attributes);
  return [result, call.input(3), call.input(4)];
};

/** Before there were fused ones: image, mean, variance, beta, gamma. */
const oldBatchNorm: Translate = (call) => {
  const value = call.input(0);
  const ones = { type: value.type, dims: [1], bytes: typedArray(value.type, [1]), strings: [] };
  const variance = call.input(2);
  const sizes = call.emit('Shape', [variance], elementType.INT64, [1]);
  const gamma = call.flag('scale_after_normalization')
    ? call.input(4)
    : call.emit('Expand', [call.builder.write(ones), sizes], value.type, null);
  const parameters = [gamma, call.input(3), call.input(1), variance].map((each) => call.builder.plain(each));
  const attributes = { epsilon: { float: call.float('variance_epsilon', 1e-3) } };
  const inputs = [call.builder.first(value), ...parameters];
  return call.emitFirst('BatchNormalization', inputs, value.type, value.shape, attributes);
};

const lrn: Translate = (call) => {
  const value = call.input(0);
  const size = 2 * call.int('depth_radius', 5) + 1;
  const attributes = {
    size,
    alpha: { float: call.float('alpha', 1) * size },
    beta: { float: call.float('beta', 0.5) },
    bias: { float: call.float('bias', 1) },
  };
  return call.emitFirst('LRN', [call.builder.first(value)], value.type, value.shape, attributes);
};

function blocks(onnx: string): Translate {
  return (call) => {
    const value = call.input(0);
    const window = windowOf(call, []);
    const size = call.int('block_size', 2);
    const isDeep = onnx === 'SpaceToDepth';
    const scaled = (dim: number, factor: number) => (dim < 0 ? -1 : dim * factor);
    const lengths = window.sides.map((side) => scaled(value.shape?.[side] ?? -1, isDeep ? 1 / size : size));
    const depth = value.shape?.[window.channels] ?? -1;
    const channels = scaled(depth, isDeep ? size * size : 1 / (size * size));
    const shape = arranged(window.isFirst, value.shape?.[0] ?? -1, lengths, channels);
    return emitImages(call, window, onnx, [images(call, value, window)], value.type, shape, { blocksize: size });
  };
}

export const imageOps: OpTable = {
  AvgPool: pool('AveragePool'),
  AvgPool3D: pool('AveragePool'),
  BatchNormWithGlobalNormalization: oldBatchNorm,
  Conv2D: conv,
  Conv2DBackpropInput: convTranspose,
  Conv3D: conv,
  Conv3DBackpropInputV2: convTranspose,
  DepthToSpace: blocks('DepthToSpace'),
  DepthwiseConv2dNative: depthwise,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  LRN: lrn,
  MaxPool: pool('MaxPool'),
  MaxPool3D: pool('MaxPool'),
  MaxPoolV2: pool('MaxPool'),
  SpaceToDepth: blocks('SpaceToDepth'),
};
