import type { Shape } from '../types/tensor.js';

/**
 * The shape on the other side of a `reshape`: `to` with its variable dimensions (-1) replaced by those of `shape`, which matches
 * `from`. Validation made sure that both sides have as many, and that what lies between them has equal sizes (fact sheet 4.6).
 */
export function applyReshape(shape: Shape, from: Shape, to: Shape): number[] {
  const variable: number[] = [];
  for (let i = 0; i < from.length; i++) if (from[i] === -1) variable.push(shape[i]!);
  let next = 0;
  return to.map((dim) => (dim === -1 ? variable[next++]! : dim));
}
