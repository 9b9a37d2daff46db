export interface Values {
  readonly length: number;
  readonly [index: number]: number | bigint;
}

/**
 * Indices of the `count` highest values, best first: of equal values the lower index, NaN after all others. `count` is at most the
 * number of values. Keeps a heap of the best so far with the worst of them on top, so that most values cost one comparison.
 */
export function bestIndices(values: Values, count: number): number[] {
  const heap = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = (count >> 1) - 1; at >= 0; at--) sink(heap, count, at, values);
  for (let index = count; count > 0 && index < values.length; index++) {
    if (!comesBefore(values, index, heap[0]!)) continue;
    heap[0] = index;
    sink(heap, count, 0, values);
  }
  const best = new Array<number>(count);
  for (let size = count; size > 0; size--) {
    best[size - 1] = heap[0]!;
    heap[0] = heap[size - 1]!;
    sink(heap, size - 1, 0, values);
  }
  return best;
}

function comesBefore(values: Values, a: number, b: number): boolean {
  const left = values[a]!;
  const right = values[b]!;
  if (left > right) return true;
  if (left < right) return false;
  if (left === right) return a < b;
  // One of them is NaN at least.
  const isLeftNumber = !Number.isNaN(Number(left));
  const isRightNumber = !Number.isNaN(Number(right));
  return isLeftNumber === isRightNumber ? a < b : isLeftNumber;
}

/** Moves the entry at `at` down until neither entry below it is worse. */
function sink(heap: Uint32Array, size: number, at: number, values: Values): void {
  const index = heap[at]!;
  let place = at;
  for (let child = 2 * place + 1; child < size; child = 2 * place + 1) {
    if (child + 1 < size && comesBefore(values, heap[child]!, heap[child + 1]!)) child++;
    if (!comesBefore(values, index, heap[child]!)) break;
    heap[place] = heap[child]!;
    place = child;
  }
  heap[place] = index;
}
