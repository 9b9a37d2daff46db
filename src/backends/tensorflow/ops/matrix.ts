import type { Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { broadcast } from '../shapes.js';
import type { Shape } from '../tensor.js';

/** Rows and columns of a matrix, or of many, changed places. */
function adjoint(call: Call, value: Value, isTurned: boolean): Value {
  if (!isTurned) return value;
  if (value.shape === null) throw call.refused('the rank of a matrix that is transposed is not known');
  const axes = value.shape.map((_, i) => i);
  return call.transposed(value, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}

function multiply(call: Call, turnA: boolean, turnB: boolean): Value {
  const [a, b] = [adjoint(call, call.input(0), turnA), adjoint(call, call.input(1), turnB)];
  return call.emit('MatMul', [a, b], a.type, productShape(a.shape, b.shape));
}

function productShape(a: Shape | null, b: Shape | null): Shape | null {
  if (a === null || b === null || a.length < 2 || b.length < 2) return null;
  return [...broadcast(a.slice(0, -2), b.slice(0, -2))!, a.at(-2)!, b.at(-1)!];
}

const batched: Translate = (call) => multiply(call, call.flag('adj_x'), call.flag('adj_y'));

function alongLast(onnx: string): Translate {
  return (call) => {
    const value = call.input(0);
    return call.emit(onnx, [value], value.type, value.shape, { axis: -1 });
  };
}

/** The letters of the output say its rank. */
const einsum: Translate = (call) => {
  const equation = call.text('equation', '');
  const output = equation.split('->')[1];
  if (output === undefined) throw call.refused(`its equation '${equation}' has no '->'`);
  const shape = output.includes('.') ? null : [...output.trim()].map((letter) => sizeOf(call, equation, letter));
  return call.emit('Einsum', [...call.inputs], call.input(0).type, shape, { equation });
};

function sizeOf(call: Call, equation: string, letter: string): number {
  const operands = equation.split('->')[0]!.split(',');
  for (const [i, operand] of operands.entries()) {
    const at = operand.trim().indexOf(letter);
    if (at >= 0 && !operand.includes('.')) return call.input(i).shape?.[at] ?? -1;
  }
  return -1;
}

export const matrixOps: OpTable = {
  BatchMatMul: batched,
  BatchMatMulV2: batched,
  BatchMatMulV3: batched,
  Einsum: einsum,
  LogSoftmax: alongLast('LogSoftmax'),
  MatMul: (call) => multiply(call, call.flag('transpose_a'), call.flag('transpose_b')),
  Softmax: alongLast('Softmax'),
};
