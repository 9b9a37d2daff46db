import { constant, intsOf, isPoint, type Value, withInts } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType, isFloat } from '../element-type.js';
import type { OnnxAttributes } from '../onnx-writer.js';
import { broadcast } from '../shapes.js';
import type { Shape } from '../tensor.js';

/** Two or more values that are brought to one shape, all in one layout. */
class Operands {
  readonly names: readonly string[];
  readonly shape: Shape | null;
  readonly isFirst: boolean;
  readonly type: number;
  readonly #call: Call;

  /** @param values of which the last says the type */
  constructor(call: Call, values: readonly Value[]) {
    this.#call = call;
    this.shape = values.map(({ shape }) => shape).reduce(broadcast);
    this.type = values.at(-1)!.type;
    this.isFirst = values.some(({ first }) => first !== '') && values.every(canBeFirst);
    this.names = values.map((value) => (this.isFirst ? asFirst(call, value) : call.builder.plain(value)));
  }

  /** The name of one node's output. */
  emit(op: string, inputs: readonly string[] = this.names, attributes: OnnxAttributes = {}): string {
    return this.#call.emitNames(op, inputs, attributes)[0]!;
  }

  scalar(value: number): string {
    return this.#call.scalar(value, this.type);
  }

  value(name: string, type = this.type): Value {
    const [plain, first] = this.isFirst ? ['', name] : [name, ''];
    return { type, shape: this.shape, tensor: null, ints: null, name: plain, first };
  }
}

/** Turning it around costs nothing: it is so already, or constant, or one number. */
function canBeFirst({ first, tensor, shape }: Value): boolean {
  if (first !== '') return true;
  if (shape === null) return false;
  if (shape.length === 0 || isPoint(shape) || isRow(shape)) return true;
  return tensor !== null && shape.length <= 4 && tensor.type !== elementType.STRING;
}

/** One number for each channel. */
function isRow(shape: Shape): boolean {
  return shape.length < 4 && shape.slice(0, -1).every((dim) => dim === 1) && shape.at(-1)! > 0;
}

function asFirst(call: Call, value: Value): string {
  const { tensor, shape } = value;
  if (value.first !== '' || shape!.length === 0) return value.first || call.builder.plain(value);
  if (tensor === null && isRow(shape!)) return call.emitNames('Reshape', [value, call.int64s([1, -1, 1, 1])])[0]!;
  if (tensor === null) return call.builder.first(value);
  const dims = [...new Array<number>(4 - tensor!.dims.length).fill(1), ...tensor!.dims];
  return call.builder.first(constant({ ...tensor!, dims }));
}

type Known = (a: number, b: number) => number;
type Build = (operands: Operands, names: readonly string[]) => string;

/** @param known what it makes of whole numbers that are known beforehand */
function binary(build: Build, known: Known | null = null): Translate {
  return (call) => {
    const operands = new Operands(call, [call.input(0), call.input(1)]);
    const ints = known === null ? null : knownInts(call.input(0), call.input(1), known);
    if (ints?.every((int) => int !== null)) return withInts(operands.value('', operands.type), ints);
    return withInts(operands.value(build(operands, operands.names)), ints);
  };
}

function knownInts(a: Value, b: Value, known: Known): (number | null)[] | null {
  const [x, y] = [intsOf(a), intsOf(b)];
  if (x === null || y === null || (x.length !== y.length && x.length !== 1 && y.length !== 1)) return null;
  return Array.from({ length: x.length === 1 ? y.length : x.length }, (_, i) => {
    const [p, q] = [x[x.length === 1 ? 0 : i]!, y[y.length === 1 ? 0 : i]!];
    if (p === null || q === null) return null;
    const result = known(p, q);
    return Number.isSafeInteger(result) ? result : null;
  });
}

function simple(onnx: string, known: Known | null = null, attributes: OnnxAttributes = {}): Translate {
  return binary((operands) => operands.emit(onnx, operands.names, attributes), known);
}

function compared(onnx: string, isNegated = false): Translate {
  return (call) => {
    const operands = new Operands(call, [call.input(0), call.input(1)]);
    const name = operands.emit(onnx);
    return operands.value(isNegated ? operands.emit('Not', [name]) : name, elementType.BOOL);
  };
}

/** Towards minus infinity, where ONNX's Div of whole numbers goes towards zero. */
const floorDiv: Build = (operands, [a, b]) => {
  if (isFloat(operands.type)) return operands.emit('Floor', [operands.emit('Div')]);
  const remainder = operands.emit('Mod', [a!, b!]);
  return operands.emit('Div', [operands.emit('Sub', [a!, remainder]), b!]);
};

/** With the sign of the divisor. */
const floorMod: Build = (operands, [a, b]) => {
  if (!isFloat(operands.type)) return operands.emit('Mod');
  const remainder = operands.emit('Mod', [a!, b!], { fmod: 1 });
  return operands.emit('Mod', [operands.emit('Add', [remainder, b!]), b!], { fmod: 1 });
};

/** The result where the operand is not zero, else zero. */
function unlessZero(operand: 0 | 1, build: Build): Translate {
  return binary((operands, names) => {
    const isZero = operands.emit('Equal', [names[operand]!, operands.scalar(0)]);
    return operands.emit('Where', [isZero, operands.scalar(0), build(operands, names)]);
  });
}

function logarithm(operands: Operands, [x, y]: readonly string[]): string {
  return operands.emit('Mul', [x!, operands.emit('Log', [y!])]);
}

function all(onnx: string): Translate {
  return (call) => {
    const operands = new Operands(call, call.inputs);
    return operands.value(operands.emit(onnx));
  };
}

/** Its rank is that of the value: the bias lies along the channels. */
const biasAdd: Translate = (call) => {
  const rank = call.text('data_format', 'NHWC') === 'NCHW' ? call.rank(0) : 0;
  const [value, bias] = [call.input(0), call.input(1)];
  if (rank < 3) return simple('Add')(call);
  const dims = [-1, ...new Array<number>(rank - 2).fill(1)];
  const aligned = call.emit('Reshape', [bias, call.int64s(dims)], bias.type, null);
  return call.emit('Add', [value, aligned], value.type, value.shape);
};

const clip: Translate = (call) => {
  const [low, high] = [1, 2].map((i) => call.input(i).shape);
  if (low?.length === 0 && high?.length === 0) {
    const { type, shape, first } = call.input(0);
    const limits = [call.builder.plain(call.input(1)), call.builder.plain(call.input(2))];
    if (first !== '') return call.emitFirst('Clip', [first, ...limits], type, shape);
    return call.emit('Clip', [call.input(0), ...limits], type, shape);
  }
  const operands = new Operands(call, call.inputs);
  const [value, least, most] = operands.names as [string, string, string];
  return operands.value(operands.emit('Max', [operands.emit('Min', [value, most]), least]));
};

/** The condition of the first version is of one dimension where the values have more: it chooses rows. */
const select: Translate = (call) => {
  const [condition, a, b] = [call.input(0), call.input(1), call.input(2)];
  const rank = (a.shape ?? b.shape)?.length;
  if (call.op === 'Select' && condition.shape?.length === 1 && rank !== undefined && rank > 1) {
    const rows = call.emit('Reshape', [condition, call.int64s([-1, ...new Array<number>(rank - 1).fill(1)])], 0, null);
    return call.emit('Where', [rows, a, b], a.type, a.shape ?? b.shape);
  }
  const operands = new Operands(call, [condition, a, b]);
  return operands.value(operands.emit('Where'));
};

const shift = (direction: string): Translate => simple('BitShift', null, { direction });

const remainder: Known = (a, b) => a - b * Math.floor(a / b);

export const binaryOps: OpTable = {
  Add: simple('Add', (a, b) => a + b),
  AddN: all('Sum'),
  AddV2: simple('Add', (a, b) => a + b),
  BiasAdd: biasAdd,
  BitwiseAnd: simple('BitwiseAnd'),
  BitwiseOr: simple('BitwiseOr'),
  BitwiseXor: simple('BitwiseXor'),
  ClipByValue: clip,
  Div: simple('Div', (a, b) => Math.trunc(a / b)),
  DivNoNan: unlessZero(1, (operands) => operands.emit('Div')),
  Equal: compared('Equal'),
  FloorDiv: binary(floorDiv, (a, b) => Math.floor(a / b)),
  FloorMod: binary(floorMod, remainder),
  Greater: compared('Greater'),
  GreaterEqual: compared('GreaterOrEqual'),
  LeftShift: shift('LEFT'),
  Less: compared('Less'),
  LessEqual: compared('LessOrEqual'),
  LogicalAnd: simple('And'),
  LogicalOr: simple('Or'),
  Maximum: simple('Max', Math.max),
  Minimum: simple('Min', Math.min),
  Mod: simple('Mod', (a, b) => a % b, { fmod: 1 }),
  Mul: simple('Mul', (a, b) => a * b),
  MulNoNan: unlessZero(1, (operands) => operands.emit('Mul')),
  NotEqual: compared('Equal', true),
  Pow: simple('Pow'),
  RealDiv: simple('Div'),
  RightShift: shift('RIGHT'),
  Select: select,
  SelectV2: select,
  SquaredDifference: binary((operands) => {
    const difference = operands.emit('Sub');
    return operands.emit('Mul', [difference, difference]);
  }),
  Sub: simple('Sub', (a, b) => a - b),
  TruncateDiv: simple('Div', (a, b) => Math.trunc(a / b)),
  TruncateMod: simple('Mod', (a, b) => a % b, { fmod: 1 }),
  Xdivy: unlessZero(0, (operands) => operands.emit('Div')),
  Xlogy: unlessZero(0, logarithm),
};
