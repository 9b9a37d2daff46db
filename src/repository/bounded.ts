import { assert } from '../base/assert.js';

/**
 * `Promise.all` over items of which at most `limit` are under way at a time, begun in order. Rejects with the first failure; what is
 * under way then goes on, the rest is not begun.
 */
export async function mapBounded<T, R>(items: readonly T[], limit: number, run: (item: T) => Promise<R>): Promise<R[]> {
  assert(limit >= 1, `a bound of ${limit} lets nothing run`);
  const results: R[] = new Array(items.length);
  const left = items.entries();
  let failed = false;
  const lane = async () => {
    for (let next = left.next(); !next.done && !failed; next = left.next()) {
      const [index, item] = next.value;
      results[index] = await run(item).catch((error) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
}

/** At most `limit` of the tasks it is given are under way at a time, begun in order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    assert(limit >= 1, `a bound of ${limit} lets nothing run`);
    this.#free = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
