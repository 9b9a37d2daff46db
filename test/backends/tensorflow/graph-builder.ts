import type { Field } from '../onnx-builder.js';

/** Parts of a GraphDef, to be encoded. */
export function node(name: string, op: string, inputs: readonly string[], attributes: readonly Field[] = []): Field {
  const given = inputs.map((text) => ({ number: 3, text }));
  return { number: 1, message: [{ number: 1, text: name }, { number: 2, text: op }, ...given, ...attributes] };
}

export function attribute(key: string, value: Field): Field {
  const message = [
    { number: 1, text: key },
    { number: 2, message: [value] },
  ];
  return { number: 5, message };
}

/** Values of attributes. */
export const FLOAT: Field = { number: 6, varint: 1 };

export function ints(values: readonly number[]): Field {
  return { number: 1, message: values.map((varint) => ({ number: 3, varint })) };
}

export function string(text: string): Field {
  return { number: 2, text };
}

function sizes(dims: readonly number[]): Field[] {
  return dims.map((varint) => ({ number: 2, message: [{ number: 1, varint }] }));
}

/** Of floats. */
export function placeholder(name: string, dims: readonly number[] = [2]): Field {
  return node(name, 'Placeholder', [], [attribute('dtype', FLOAT), attribute('shape', shape(dims))]);
}

function shape(dims: readonly number[]): Field {
  return { number: 7, message: sizes(dims) };
}

/** Of whole numbers, or of a truth value. */
export function constant(name: string, dims: readonly number[], values: Int32Array | boolean): Field {
  const isBool = typeof values === 'boolean';
  const bytes = isBool ? Uint8Array.of(Number(values)) : new Uint8Array(values.buffer);
  const tensor = [
    { number: 1, varint: isBool ? 10 : 3 },
    { number: 2, message: sizes(dims) },
    { number: 4, bytes },
  ];
  return node(name, 'Const', [], [attribute('value', { number: 8, message: tensor })]);
}
