/** Dimensions, outermost first. In a configuration -1 is a dimension of any size; in a request and a response there is none. */
export type Shape = readonly number[];

/** Number of elements; 1 for a scalar (`[]`), 0 where a dimension is 0. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const dim of shape) count *= dim;
  return count;
}

/** `[1,16]`, as Triton writes shapes in messages. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, index) => dim === b[index]);
}
