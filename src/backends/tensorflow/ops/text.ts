import { constant } from '../builder.js';
import type { OpTable } from '../call.js';
import { elementType } from '../element-type.js';
import { broadcast } from '../shapes.js';

const wholes: readonly number[] = [elementType.INT8, elementType.INT16, elementType.INT32, elementType.INT64];

/** Strings, as far as ONNX has anything for them. */
export const textOps: OpTable = {
  AsString: (call) => {
    const value = call.input(0);
    const plain = call.int('width', -1) === -1 && call.text('fill', '') === '';
    if (!wholes.includes(value.type) || !plain) {
      throw call.refused('only whole numbers without width and fill can be written as text');
    }
    return call.emit('Cast', [value], elementType.STRING, value.shape, { to: elementType.STRING });
  },
  StringJoin: (call) => {
    if (call.inputs.length === 1) return call.input(0);
    const separator = call.attribute('separator').s ?? new Uint8Array(0);
    const between = constant({ type: elementType.STRING, dims: [], bytes: new Uint8Array(0), strings: [separator] });
    const parts = call.inputs.flatMap((input, i) => (i === 0 || separator.length === 0 ? [input] : [between, input]));
    return parts.reduce((a, b) => call.emit('StringConcat', [a, b], elementType.STRING, broadcast(a.shape, b.shape)));
  },
  StringToNumber: (call) => {
    const value = call.input(0);
    const to = call.typeAttribute('out_type') || elementType.FLOAT;
    return call.emit('Cast', [value], to, value.shape, { to });
  },
};
