import type { LoadResult } from '../report.js';
import { levelOf } from '../search/next-load.js';

/** With growing load; a binary search measures in another order. */
export function inOrder(results: readonly LoadResult[]): LoadResult[] {
  return results.toSorted((a, b) => levelOf(a.load) - levelOf(b.load));
}
