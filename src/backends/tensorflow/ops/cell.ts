import { Builder, intsOf, named, type Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import { closed } from '../finish.js';
import { resized, sizeOf } from '../list.js';
import type { Shape } from '../tensor.js';

const { INT64 } = elementType;
const OUTPUTS = 7;
const MEMORY = 1;
const HIDDEN = 6;

/** Places of an LSTM's gates in its weights. */
interface Gates {
  readonly input: number;
  readonly forget: number;
  readonly fresh: number;
  readonly output: number;
}

const older: Gates = { input: 0, fresh: 1, forget: 2, output: 3 };
const newer: Gates = { input: 0, forget: 1, fresh: 2, output: 3 };

/** A fused LSTM, as tensorflow/core/kernels/rnn/lstm_ops.h computes it. */
interface Lstm {
  readonly gates: Gates;
  /** Is added to the forget gate. */
  readonly bias: number;
  /** The memory stays between -clip and clip; 0 = anywhere. */
  readonly clip: number;
  /** Weights of the memory in the input, forget and output gates: [units] each; null = none. */
  readonly peepholes: readonly [Value, Value, Value] | null;
  /** Weights of the hidden state: [units, 4 * units]. */
  readonly recurrent: Value;
}

/** What one step works on. */
interface Step {
  /** What the inputs and the bias add to the gates: [batch, 4 * units]. */
  readonly sums: Value;
  /** Both [batch, units]. */
  readonly memory: Value;
  readonly hidden: Value;
}

/** @param from the place of x, behind which are memory, hidden state, weights, three peepholes and bias */
function lstmOf(call: Call, from: number, gates: Gates, bias: number, usualClip: number): [Lstm, Step] {
  const [x, memory, hidden, weights] = [0, 1, 2, 3].map((i) => call.input(from + i)) as [Value, Value, Value, Value];
  const units = (weights.shape?.[1] ?? -1) / 4;
  if (!(units > 0)) throw call.refused('the sizes of its weights are not known');
  const rows = (begin: number, end: number) =>
    call.emit('Slice', [weights, ...[begin, end, 0].map((place) => call.int64s([place]))], x.type, null);
  const shape = x.shape && [...x.shape.slice(0, -1), 4 * units];
  const sums = call.emit(
    'Add',
    [call.emit('MatMul', [x, rows(0, -units)], x.type, shape), call.input(from + 7)],
    x.type,
    shape,
  );
  const seeing = [4, 5, 6].map((i) => call.input(from + i)) as [Value, Value, Value];
  const peepholes = call.flag('use_peephole') ? seeing : null;
  const clip = Math.max(0, call.float('cell_clip', usualClip));
  return [
    { gates, bias, clip, peepholes, recurrent: rows(-units, Number.MAX_SAFE_INTEGER) },
    { sums, memory, hidden },
  ];
}

/** In TensorFlow's order: input gate, memory, forget gate, output gate, new values, squashed memory, hidden state. */
function stepped(call: Call, lstm: Lstm, { sums, memory, hidden }: Step): Value[] {
  const { gates, bias, clip, peepholes, recurrent } = lstm;
  const { type } = sums;
  const shape = sums.shape && [...sums.shape.slice(0, -1), sums.shape.at(-1)! / 4];
  const of = (op: string, ...inputs: (Value | string)[]) => call.emit(op, inputs, type, shape);
  const parts = call.emitNames(
    'Split',
    [of('Add', sums, of('MatMul', hidden, recurrent))],
    { axis: -1, num_outputs: 4 },
    4,
  );
  const gate = (part: Value | string, seen: Value, i: number) =>
    of('Sigmoid', peepholes === null ? part : of('Add', part, of('Mul', seen, peepholes[i]!)));
  const input = gate(parts[gates.input]!, memory, 0);
  const part = parts[gates.forget]!;
  const forget = gate(bias === 0 ? part : of('Add', part, call.scalar(bias, type)), memory, 1);
  const fresh = of('Tanh', parts[gates.fresh]!);
  const free = of('Add', of('Mul', fresh, input), of('Mul', memory, forget));
  const next = clip === 0 ? free : of('Clip', free, call.scalar(-clip, type), call.scalar(clip, type));
  const output = gate(parts[gates.output]!, next, 2);
  const squashed = of('Tanh', next);
  return [input, next, forget, output, fresh, squashed, of('Mul', squashed, output)];
}

const lstmCell: Translate = (call) => {
  const [lstm, step] = lstmOf(call, 0, older, call.float('forget_bias', 1), 3);
  return stepped(call, lstm, step);
};

/** Steps along the first dimension, of which the first input says how many count: behind them are zeros. */
function lstmSteps(gates: Gates, bias: (call: Call) => number, usualClip: number): Translate {
  return (call) => {
    const [lstm, step] = lstmOf(call, 1, gates, bias(call), usualClip);
    const steps = call.input(1).shape?.[0] ?? -1;
    const limit = intsOf(call.input(0))?.[0] ?? -1;
    if (steps >= 0 && limit >= steps) return scanned(call, lstm, step);
    const last = call.emit('Reshape', [call.asInt64(call.input(0)), call.int64s([1])], INT64, [1]);
    // Scan of ONNX Runtime makes one step at least.
    const made = call.emit('Max', [last, call.int64s([1])], INT64, [1]);
    const length = sizeOf(call, call.input(1));
    const rows = scanned(call, lstm, { ...step, sums: firsts(call, step.sums, made) });
    return rows.map((row) => resized(call, firsts(call, row, last), length));
  };
}

function firsts(call: Call, value: Value, count: Value): Value {
  const shape = value.shape && [-1, ...value.shape.slice(1)];
  return call.emit('Slice', [value, call.int64s([0]), count], value.type, shape);
}

/** All steps, by ONNX's Scan. */
function scanned(call: Call, lstm: Lstm, { sums, memory, hidden }: Step): Value[] {
  const builder = new Builder(call.builder);
  const row = sums.shape?.slice(1) ?? null;
  const units = row && [...row.slice(0, -1), row.at(-1)! / 4];
  const [before, state, each] = ['memory', 'hidden', 'sums'].map((name) => builder.fresh(name)) as [
    string,
    string,
    string,
  ];
  const step = {
    sums: named(each, sums.type, row),
    memory: named(before, sums.type, units),
    hidden: named(state, sums.type, units),
  };
  const outputs = stepped(call.inside(builder), lstm, step);
  const inputs = [step.memory, step.hidden, step.sums].map(({ name, type, shape }) => ({ name, type, shape }));
  const body = closed(builder, inputs, [outputs[MEMORY]!, outputs[HIDDEN]!, ...outputs]);
  const attributes = { body: { graph: body }, num_scan_inputs: 1 };
  const names = call.emitNames('Scan', [memory, hidden, sums], attributes, 2 + OUTPUTS).slice(2);
  const shape: Shape | null = units && [sums.shape![0]!, ...units];
  return names.map((name) => named(name, sums.type, shape));
}

/** In TensorFlow's order: reset gate, update gate, new values, hidden state. See tensorflow/core/kernels/rnn/gru_ops.h. */
const gruCell: Translate = (call) => {
  const [x, before, gateWeights, weights, gateBias, bias] = [0, 1, 2, 3, 4, 5].map((i) => call.input(i)) as Value[];
  const { type, shape } = before!;
  const of = (op: string, ...inputs: (Value | string)[]) => call.emit(op, inputs, type, shape);
  const summed = (hidden: Value, by: Value, plus: Value) => {
    const both = call.emit('Concat', [x!, hidden], type, null, { axis: -1 });
    return call.emit('Add', [call.emit('MatMul', [both, by], type, null), plus], type, null);
  };
  const gates = call.emit('Sigmoid', [summed(before!, gateWeights!, gateBias!)], type, null);
  const [reset, update] = call
    .emitNames('Split', [gates], { axis: -1, num_outputs: 2 }, 2)
    .map((name) => named(name, type, shape)) as [Value, Value];
  const fresh = of('Tanh', summed(of('Mul', before!, reset), weights!, bias!));
  const kept = of('Sub', call.scalar(1, type), update);
  return [reset, update, fresh, of('Add', of('Mul', update, before!), of('Mul', kept, fresh))];
};

export const cellOps: OpTable = {
  BlockLSTM: lstmSteps(older, (call) => call.float('forget_bias', 1), 3),
  BlockLSTMV2: lstmSteps(newer, () => 0, 0),
  GRUBlockCell: gruCell,
  LSTMBlockCell: lstmCell,
};
