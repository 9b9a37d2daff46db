import type { Shape } from './tensor.js';

/** NumPy's rule, as far as sizes are known. */
export function broadcast(a: Shape | null, b: Shape | null): Shape | null {
  if (a === null || b === null) return null;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x === 1) return y;
    if (y === 1) return x;
    return x === -1 ? y : x;
  });
}

/** What is known of one size, from two who know something of it. */
export function merged(a: Shape | null, b: Shape | null): Shape | null {
  if (a === null || b === null || a.length !== b.length) return a ?? b;
  return a.map((dim, i) => (dim === -1 ? b[i]! : dim));
}

export function isStatic(shape: Shape | null): shape is Shape {
  return shape?.every((dim) => dim >= 0) ?? false;
}

/** -1 where one is not known. */
export function product(dims: readonly number[]): number {
  return dims.some((dim) => dim < 0) ? -1 : dims.reduce((all, dim) => all * dim, 1);
}

/** Size of one side behind a window that steps over it; -1 = not known. */
export function windowed(size: number, window: number, stride: number, padding: string, pads = 0): number {
  if (size < 0) return -1;
  if (padding === 'SAME') return Math.ceil(size / stride);
  return Math.floor((size + pads - window) / stride) + 1;
}

/** Zeros before and behind one side of TensorFlow's SAME. */
export function samePads(size: number, window: number, stride: number): [number, number] {
  const needed = Math.max(0, (Math.ceil(size / stride) - 1) * stride + window - size);
  return [Math.floor(needed / 2), needed - Math.floor(needed / 2)];
}
