import { type DataType, isDataType } from '../../../src/types/datatype.js';
import { type Shape, shapeText } from '../../../src/types/tensor.js';
import type { TargetModel, TargetTensor } from '../target/target.js';
import { DataError } from './data-error.js';

/** A tensor of the model, as one row of a request has it. */
export interface RowTensor {
  readonly name: string;
  readonly datatype: DataType;
  /** Without the batch dimension; -1 = of any size. As the model has it, and as data without a shape of its own has it (`--shape`). */
  readonly modelShape: Shape;
  readonly shape: Shape;
  readonly isOptional: boolean;
}

/** What rows of a model are made of. */
export interface RowForm {
  readonly inputs: readonly RowTensor[];
  readonly outputs: readonly RowTensor[];
}

/**
 * Throws a DataError for a shape that is none of the model's, and for datatypes that nobody knows.
 * @param shapes of `--shape`: they take the place of the dimensions of inputs that are of any size
 */
export function rowFormOf(model: TargetModel, shapes: Readonly<Record<string, Shape>>): RowForm {
  const form = {
    inputs: model.inputs.map((tensor) => rowTensor(model, tensor)),
    outputs: model.outputs.map((tensor) => rowTensor(model, tensor)),
  };
  for (const name of Object.keys(shapes)) checkInput(model, name);
  const inputs = form.inputs.map((input) => {
    const shape = shapes[input.name];
    return shape === undefined ? input : { ...input, shape: checkedShape(input, shape) };
  });
  return { ...form, inputs };
}

function rowTensor({ name: model, maxBatchSize }: TargetModel, tensor: TargetTensor): RowTensor {
  const { name, datatype, shape, isOptional } = tensor;
  if (!isDataType(datatype)) {
    throw new DataError(`model '${model}', tensor '${name}': datatype ${datatype} is none of the V2 protocol's`);
  }
  const modelShape = maxBatchSize > 0 ? shape.slice(1) : shape;
  return { name, datatype, isOptional, modelShape, shape: modelShape };
}

function checkInput({ name: model, inputs }: TargetModel, name: string): void {
  if (inputs.some((input) => input.name === name)) return;
  const known = inputs.map((input) => `'${input.name}'`).join(', ');
  throw new DataError(`--shape ${name}: model '${model}' has no such input, it has ${known}`);
}

function checkedShape(input: RowTensor, shape: Shape): Shape {
  const isWhole = shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (isWhole && fits(shape, input.modelShape)) return shape;
  throw new DataError(
    `--shape ${input.name}:${shape.join(',')}: the model has ${shapeText(input.modelShape)}, where only -1 may be replaced; ` +
      'the batch dimension is not part of it',
  );
}

/** Whether a shape without open dimensions is one that `open` allows. */
export function fits(shape: Shape, open: Shape): boolean {
  return shape.length === open.length && shape.every((dim, at) => dim === open[at] || open[at] === -1);
}

export function isOpen(shape: Shape): boolean {
  return shape.includes(-1);
}

/** `--shape NAME:N,3`, where N is to be filled in. */
export function shapeFlag({ name, shape }: RowTensor): string {
  return `--shape ${name}:${shape.map((dim) => (dim === -1 ? 'N' : dim)).join(',')}`;
}
