import type { Shape } from '../../types/tensor.js';

/** One side of a tensor that goes from one model to another. */
export interface BridgeEnd {
  /** Without the batch dimension; -1 = of any size. */
  readonly dims: Shape;
  readonly batched: boolean;
}

/**
 * The shape in which a tensor of this shape is given on, where one side has a batch dimension and the other has none: what is one row of the
 * target gets a leading 1, what is a batch of one row loses it (`ReshapeTensorDims` of Triton's ensemble scheduler; fact sheet 5.6).
 */
export function bridgeShape(shape: Shape, isBatched: boolean, to: BridgeEnd): Shape {
  if (isBatched === to.batched) return shape;
  if (to.batched) return fits(shape, to.dims) ? [1, ...shape] : shape;
  return !fits(shape, to.dims) && shape[0] === 1 && fits(shape.slice(1), to.dims) ? shape.slice(1) : shape;
}

function fits(shape: Shape, dims: Shape): boolean {
  return shape.length === dims.length && dims.every((dim, index) => dim === -1 || dim === shape[index]);
}
