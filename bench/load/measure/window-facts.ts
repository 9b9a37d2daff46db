import type { Load } from '../load.js';
import type { Window } from './window.js';

/**
 * Why there was no good answer in a window, in a sentence.
 * @param silentMs it had some, but none for so long; 0 = it had none
 */
export function describeSilence({ requests, failures, beginMs, endMs }: Window, silentMs: number): string {
  const total = [...failures.values()].reduce((sum, { count }) => sum + count, 0);
  const worst = [...failures].sort(([, a], [, b]) => b.count - a.count)[0];
  if (worst === undefined) {
    const seconds = ((endMs - beginMs) / 1000).toFixed(1);
    return `nothing was answered for ${seconds} s: the server hangs, or no request was due; --request-timeout-ms says how long requests wait`;
  }
  const [kind, { count, message }] = worst;
  if (requests > 0) {
    const seconds = (silentMs / 1000).toFixed(1);
    return `there was no good answer for ${seconds} s: of ${requests + total} requests ${count} failed with ${kind}: ${message}`;
  }
  const which = count === total ? `all ${total} requests failed` : `all ${total} requests failed, ${count} of them`;
  return `${which} with ${kind}: ${message}`;
}

/** Of a load that ends by itself, in milliseconds; 0 = it goes on. */
export function lengthOfMs(load: Load): number {
  if (load.kind === 'closed' || load.arrivals.kind !== 'profile') return 0;
  return load.arrivals.phases.reduce((sum, { seconds }) => sum + seconds * 1000, 0);
}

export function meanOfLastPieceUs({ pieces }: Window): number {
  const last = pieces.findLast(({ requests }) => requests > 0);
  return last === undefined ? 0 : last.sumUs / last.requests;
}
