import type { Load } from '../load.js';
import type { Part } from './order.js';

/** The `nth` part of a number that is split as evenly as can be. */
export function partOf(total: number, { nth, of }: Part): number {
  return Math.floor(total / of) + (nth < total % of ? 1 : 0);
}

/**
 * Requests of a limit that a thread sends. Of an open load every thread sends its share of what is due; of a closed one as many for each request that it keeps in flight, so that
 * none waits long for another, and one that keeps none in flight sends none.
 */
export function partOfLimit(limit: number, load: Load, part: Part): number {
  if (load.kind === 'open') return partOf(limit, part);
  const { concurrency } = load;
  const { nth, of } = part;
  const before = nth * Math.floor(concurrency / of) + Math.min(nth, concurrency % of);
  const until = (places: number) => Math.floor((limit * places) / concurrency);
  return until(before + partOf(concurrency, part)) - until(before);
}
