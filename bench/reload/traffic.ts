import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from './caller.js';

/** Requests that go on until they are stopped: each connection sends the next when it has the answer. */
export class Traffic {
  readonly #callers: readonly Caller[];
  readonly #loops: Promise<void>[];
  #isOver = false;
  /** The longest that one answer took. */
  worstMs = 0;

  constructor(callers: readonly Caller[]) {
    this.#callers = callers;
    this.#loops = callers.map((caller) => this.#loop(caller));
  }

  get answered(): number {
    return this.#callers.reduce((sum, { answered }) => sum + answered, 0);
  }

  get failures(): string[] {
    return this.#callers.flatMap(({ failures }) => failures);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    for (const caller of this.#callers) caller.close();
  }

  async #loop(caller: Caller): Promise<void> {
    while (!this.#isOver && caller.failures.length === 0) {
      const begin = performance.now();
      await caller.call();
      this.worstMs = Math.max(this.worstMs, performance.now() - begin);
    }
  }
}

/**
 * Sends `rate` requests a second over as many connections as it takes, whatever the answers do, for `seconds`. Latencies in milliseconds,
 * sorted, each from when the request was due: one that could not be sent in time counts with the time it waited.
 */
export async function openLoop(callers: readonly Caller[], rate: number, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const idle = [...callers];
  const begin = performance.now();
  const running: Promise<void>[] = [];
  for (let nth = 0; nth < rate * seconds; nth++) {
    const dueMs = begin + (nth * 1000) / rate;
    while (performance.now() < dueMs || idle.length === 0) await sleep(Math.max(0, dueMs - performance.now()));
    const caller = idle.pop()!;
    running.push(
      caller.call().then(() => {
        latencies.push(performance.now() - dueMs);
        idle.push(caller);
      }),
    );
  }
  await Promise.all(running);
  return latencies.sort((a, b) => a - b);
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
