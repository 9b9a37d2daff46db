import type { Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import type { OnnxAttributes } from '../onnx-writer.js';
import type { Shape } from '../tensor.js';

/** A chain of ONNX nodes on one value, in the layout that it has. */
class Chain {
  readonly #call: Call;
  readonly #isFirst: boolean;
  readonly #shape: Shape | null;
  #type: number;
  #name: string;

  constructor(call: Call, value: Value) {
    this.#call = call;
    this.#isFirst = value.first !== '';
    this.#shape = value.shape;
    this.#type = value.type;
    this.#name = this.#isFirst ? value.first : call.builder.plain(value);
  }

  get name(): string {
    return this.#name;
  }

  /** The value so far, then what else the operator takes. */
  apply(op: string, others: readonly string[] = [], attributes: OnnxAttributes = {}, type = this.#type): this {
    this.#name = this.#call.emitNames(op, [this.#name, ...others], attributes)[0]!;
    this.#type = type;
    return this;
  }

  scalar(value: number): string {
    return this.#call.scalar(value, this.#type);
  }

  get value(): Value {
    const [name, first] = this.#isFirst ? ['', this.#name] : [this.#name, ''];
    return { type: this.#type, shape: this.#shape, tensor: null, ints: null, name, first };
  }
}

function same(onnx: string, attributes: OnnxAttributes = {}): Translate {
  return chained((chain) => chain.apply(onnx, [], attributes));
}

function chained(build: (chain: Chain, call: Call) => Chain): Translate {
  return (call) => build(new Chain(call, call.input(0)), call).value;
}

const BOOL = elementType.BOOL;

export const unaryOps: OpTable = {
  Abs: same('Abs'),
  Acos: same('Acos'),
  Acosh: same('Acosh'),
  Asin: same('Asin'),
  Asinh: same('Asinh'),
  Atan: same('Atan'),
  Atanh: same('Atanh'),
  Ceil: same('Ceil'),
  Cos: same('Cos'),
  Cosh: same('Cosh'),
  Elu: same('Elu', { alpha: { float: 1 } }),
  Erf: same('Erf'),
  Erfc: chained((chain) =>
    chain
      .apply('Erf')
      .apply('Neg')
      .apply('Add', [chain.scalar(1)]),
  ),
  Exp: same('Exp'),
  Expm1: chained((chain) => chain.apply('Exp').apply('Sub', [chain.scalar(1)])),
  Floor: same('Floor'),
  Inv: same('Reciprocal'),
  Invert: same('BitwiseNot'),
  IsFinite: chained((chain, call) => {
    const zero = chain.apply('Sub', [chain.name]);
    return zero.apply('Equal', [call.scalar(0, call.input(0).type)], {}, BOOL);
  }),
  IsInf: chained((chain) => chain.apply('IsInf', [], {}, BOOL)),
  IsNan: chained((chain) => chain.apply('IsNaN', [], {}, BOOL)),
  L2Loss: (call) => {
    const value = call.input(0);
    const squares = call.emit('ReduceSumSquare', [value], value.type, [], { keepdims: 0 });
    return call.emit('Mul', [squares, call.scalar(0.5, value.type)], value.type, []);
  },
  LeakyRelu: chained((chain, call) => chain.apply('LeakyRelu', [], { alpha: { float: call.float('alpha', 0.2) } })),
  Log: same('Log'),
  Log1p: chained((chain) => chain.apply('Add', [chain.scalar(1)]).apply('Log')),
  LogicalNot: same('Not'),
  Neg: same('Neg'),
  Reciprocal: same('Reciprocal'),
  Relu: same('Relu'),
  Relu6: chained((chain) => chain.apply('Clip', [chain.scalar(0), chain.scalar(6)])),
  Rint: same('Round'),
  Round: same('Round'),
  Rsqrt: chained((chain) => chain.apply('Sqrt').apply('Reciprocal')),
  Selu: same('Selu'),
  Sigmoid: same('Sigmoid'),
  Sign: same('Sign'),
  Sin: same('Sin'),
  Sinh: same('Sinh'),
  Softplus: same('Softplus'),
  Softsign: same('Softsign'),
  Sqrt: same('Sqrt'),
  Square: chained((chain) => chain.apply('Mul', [chain.name])),
  Tan: same('Tan'),
  Tanh: same('Tanh'),
};
