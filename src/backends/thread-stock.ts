import type { ResourceLimits } from 'node:worker_threads';
import { Piscina } from 'piscina';

/** A thread without an instance ends after this. */
const IDLE_MS = 2000;
const MOST_IDLE = 16;

/** Threads for instances: pools of one, which an instance has to itself. One whose instance has ended is kept a while for the next. */
export class ThreadStock {
  /** By the file they run; the one that has waited longest comes first. */
  readonly #idle = new Map<string, { readonly pool: Piscina; readonly timer: NodeJS.Timeout }[]>();

  /** @param file a worker's entry point, which exports `runInstance` */
  take(file: string): Piscina {
    const kept = this.#idle.get(file)?.pop();
    if (kept === undefined) return newPool(file);
    clearTimeout(kept.timer);
    return kept.pool;
  }

  /** The pool's thread is idle and as good as new. */
  giveBack(file: string, pool: Piscina): void {
    const idle = this.#idle.get(file) ?? [];
    this.#idle.set(file, idle);
    if (idle.length >= MOST_IDLE) this.#end(file, idle[0]!.pool);
    const timer = setTimeout(() => this.#end(file, pool), IDLE_MS).unref();
    idle.push({ pool, timer });
  }

  #end(file: string, pool: Piscina): void {
    const idle = this.#idle.get(file)!;
    const [entry] = idle.splice(
      idle.findIndex((it) => it.pool === pool),
      1,
    );
    clearTimeout(entry!.timer);
    void pool.destroy();
  }
}

/** A pool of one that nobody had before. @param limits of its thread's memory; empty = Node's own */
export function newPool(file: string, limits: ResourceLimits = {}): Piscina {
  const pool = new Piscina({
    filename: file,
    name: 'runInstance',
    minThreads: 0,
    maxThreads: 1,
    // The stock says when: a thread that ends and is made anew costs memory that libraries keep for each.
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: 'disabled',
    // Two histograms of half a megabyte.
    recordTiming: false,
    resourceLimits: limits,
  });
  pool.on('error', () => {});
  return pool;
}

/** Those of the process. */
export const threadStock = new ThreadStock();
