import type { DataType } from '../../../src/types/datatype.js';
import { elementCount, type Shape, shapeText } from '../../../src/types/tensor.js';
import type { DataOptions } from '../options.js';
import { Random } from '../random.js';
import { DataError } from './data-error.js';
import type { Step, TensorData } from './data-set.js';
import { packElements, packStrings } from './elements.js';
import { isOpen, type RowForm, type RowTensor, shapeFlag } from './input-shapes.js';

/** Integers are from 0 up to this: any integer type holds them, and they are positions in most tables that a model looks up. */
const MOST_INTEGER = 127;

/**
 * Floating-point numbers are multiples of one of so many, below 1: the type holds them exactly, so that none is rounded up to 1 and none is
 * too small to be fast.
 */
const fractions: { readonly [datatype in DataType]?: number } = {
  FP16: 2 ** 10,
  BF16: 2 ** 7,
  FP32: 2 ** 24,
  FP64: 2 ** 24,
};

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/**
 * Random or zero data: one step. Each row of the batch has its own.
 * @param batch the batch dimension, `[]` = the model has none
 * Throws a DataError for an input of any size that has no `--shape`; an optional one is left out then.
 */
export function generateStep(form: RowForm, batch: Shape, options: DataOptions): Step {
  const random = new Random(options.seed);
  const inputs: TensorData[] = [];
  for (const input of form.inputs) {
    if (!isOpen(input.shape)) inputs.push(generate(input, batch, options, random));
    else if (!input.isOptional) throw withoutSize(input);
  }
  return { inputs, expected: null, parameters: {} };
}

function withoutSize(input: RowTensor): DataError {
  return new DataError(
    `input '${input.name}' has the shape ${shapeText(input.shape)}: say how large it is to be with ${shapeFlag(input)}`,
  );
}

function generate(input: RowTensor, batch: Shape, options: DataOptions, random: Random): TensorData {
  const { name, datatype, shape: row } = input;
  const shape = [...batch, ...row];
  const count = elementCount(shape);
  const isZero = options.source === 'zero';
  if (datatype === 'BYTES') {
    const own = isZero ? () => '' : () => randomString(options.stringLength, random);
    const strings = Array.from({ length: count }, () => options.stringData ?? own());
    return { name, datatype, shape, bytes: packStrings(strings) };
  }
  const elements = Array.from({ length: count }, () => (isZero ? 0 : draw(datatype, random)));
  return { name, datatype, shape, bytes: packElements(datatype, elements) };
}

function draw(datatype: DataType, random: Random): number {
  if (datatype === 'BOOL') return random.between(0, 2);
  const steps = fractions[datatype];
  return steps === undefined ? random.between(0, MOST_INTEGER + 1) : random.between(0, steps) / steps;
}

function randomString(length: number, random: Random): string {
  let text = '';
  for (let nth = 0; nth < length; nth++) text += LETTERS[random.between(0, LETTERS.length)]!;
  return text;
}
