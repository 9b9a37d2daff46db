import { constant, type Value } from '../builder.js';
import type { Call, OpTable } from '../call.js';
import { elementType } from '../element-type.js';
import { broadcast } from '../shapes.js';

const { INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOL, STRING } = elementType;
const wholes: readonly number[] = [INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64];

const floats: readonly number[] = [FLOAT, DOUBLE];
/** Digits that ONNX Runtime writes of one of these, in the shorter of both notations: C's `%.8g`. */
const DIGITS = 8;

/** Strings, as far as ONNX has anything for them. */
export const textOps: OpTable = {
  AsString: (call) => {
    const value = call.input(0);
    const [width, fill] = [call.int('width', -1), call.text('fill', '')];
    if (width !== -1 || fill !== '') throw call.refused(`has width ${width} and fill '${fill}': ONNX cannot pad texts`);
    if (value.type === BOOL) return choose(call, value, text('true'), text('false'));
    const written = call.emit('Cast', [value], STRING, value.shape, { to: STRING });
    if (wholes.includes(value.type)) return written;
    checkNotation(call, value.type);
    return withSpecials(call, value, written);
  },
  StringJoin: (call) => {
    if (call.inputs.length === 1) return call.input(0);
    const separator = call.attribute('separator').s ?? new Uint8Array(0);
    const between = text(separator);
    const parts = call.inputs.flatMap((input, i) => (i === 0 || separator.length === 0 ? [input] : [between, input]));
    return parts.reduce((a, b) => call.emit('StringConcat', [a, b], STRING, broadcast(a.shape, b.shape)));
  },
  StringToNumber: (call) => {
    const value = call.input(0);
    const to = call.typeAttribute('out_type') || FLOAT;
    return call.emit('Cast', [value], to, value.shape, { to });
  },
};

function text(content: string | Uint8Array): Value {
  const strings = [typeof content === 'string' ? Buffer.from(content) : content];
  return constant({ type: STRING, dims: [], bytes: new Uint8Array(0), strings });
}

function choose(call: Call, condition: Value, yes: Value, no: Value): Value {
  return call.emit('Where', [condition, yes, no], STRING, condition.shape);
}

/** Throws UNSUPPORTED where ONNX Runtime writes numbers of this type in another way. */
function checkNotation(call: Call, type: number): void {
  if (!floats.includes(type)) throw call.refused('values of its type T cannot be written as text');
  const precision = call.int('precision', -1);
  const [scientific, shortest] = [call.flag('scientific'), call.flag('shortest')];
  if (shortest && !scientific && precision === DIGITS) return;
  throw call.refused(
    `numbers can be written with shortest true, scientific false and precision ${DIGITS} alone: it has shortest ${shortest}, scientific ${scientific} and precision ${precision}`,
  );
}

/** What is no number is written in lower case by TensorFlow. */
function withSpecials(call: Call, value: Value, written: Value): Value {
  const is = (op: string, attributes = {}) => call.emit(op, [value], BOOL, value.shape, attributes);
  const infinite = (positive: number) => is('IsInf', { detect_positive: positive, detect_negative: 1 - positive });
  const low = choose(call, infinite(0), text('-inf'), written);
  return choose(call, is('IsNaN'), text('nan'), choose(call, infinite(1), text('inf'), low));
}
