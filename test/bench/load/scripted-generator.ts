import type { LoadGenerator } from '../../../bench/load/generator/load-generator.js';
import type { Load } from '../../../bench/load/load.js';
import { newHistogram } from '../../../bench/load/measure/histogram.js';
import { PIECE_MS, type Window } from '../../../bench/load/measure/window.js';
import { lengthOfMs } from '../../../bench/load/measure/window-facts.js';
import type { HandClock } from '../../fakes/clock.js';

/** What a server that is only thought of does under a load, at a time. */
export interface Behaviour {
  readonly perSecond: number;
  readonly latencyUs: number;
  /** Of all requests; 1 = all. */
  readonly failing?: number;
  /** The last answers of a profile come so long after it. */
  readonly overdueMs?: number;
}

/** Answers come evenly, as the behaviour says, by the time of a clock that tests move. */
export class ScriptedGenerator implements LoadGenerator {
  readonly starts: { readonly load: Load; readonly requestLimit: number }[] = [];
  readonly broken: Promise<never>;
  break: (error: Error) => void = () => {};
  isClosed = false;
  readonly #clock: HandClock;
  readonly #behaviour: (load: Load, atMs: number) => Behaviour;
  #beginMs = 0;
  #takenMs = 0;
  #answeredBefore = 0;
  #left = Number.POSITIVE_INFINITY;

  constructor(clock: HandClock, behaviour: (load: Load, atMs: number) => Behaviour) {
    this.#clock = clock;
    this.#behaviour = behaviour;
    this.broken = new Promise((_, reject) => {
      this.break = reject;
    });
    this.broken.catch(() => {});
  }

  async start(load: Load, requestLimit: number): Promise<void> {
    this.#answeredBefore = this.answered;
    this.#beginMs = this.#nowMs;
    this.#left = requestLimit > 0 ? requestLimit : Number.POSITIVE_INFINITY;
    if (requestLimit > 0 || this.starts.length === 0) this.#takenMs = this.#nowMs;
    this.starts.push({ load, requestLimit });
  }

  get answered(): number {
    const now = Math.min(Math.floor(this.#between(this.#beginMs, this.#nowMs)), this.#left);
    return this.#answeredBefore + now;
  }

  get isOver(): boolean {
    if (this.#between(this.#beginMs, this.#nowMs) >= this.#left) return true;
    const load = this.starts.at(-1)?.load;
    const { overdueMs = 0 } = this.#at(this.#nowMs);
    const lengthMs = load === undefined ? 0 : lengthOfMs(load);
    return lengthMs > 0 && this.#nowMs >= this.#beginMs + lengthMs + overdueMs;
  }

  get succeeded(): number {
    const { failing = 0 } = this.#at(this.#nowMs);
    return failing === 1 ? 0 : this.answered;
  }

  async take(): Promise<Window> {
    const window = this.#window(this.#takenMs, this.#nowMs);
    this.#takenMs = this.#nowMs;
    return window;
  }

  async drain(): Promise<Window> {
    const window = await this.take();
    this.#answeredBefore = this.answered;
    this.#left = 0;
    this.#beginMs = this.#nowMs;
    return window;
  }

  async close(): Promise<readonly string[]> {
    this.isClosed = true;
    return [];
  }

  get #nowMs(): number {
    return this.#clock.nowUs() / 1000;
  }

  #at(ms: number): Behaviour {
    const load = this.starts.at(-1)?.load;
    return load === undefined ? { perSecond: 0, latencyUs: 0 } : this.#behaviour(load, ms);
  }

  /** Answers, with a fraction. */
  #between(fromMs: number, toMs: number): number {
    return (this.#at(toMs).perSecond * (toMs - fromMs)) / 1000;
  }

  #window(beginMs: number, endMs: number): Window {
    const { latencyUs, failing = 0 } = this.#at(endMs);
    const all = Math.min(Math.round(this.#between(beginMs, endMs)), this.#left);
    const failed = Math.round(all * failing);
    const requests = all - failed;
    const latencies = newHistogram();
    if (requests > 0) latencies.recordValueWithCount(latencyUs, requests);
    const pieces = Math.ceil((endMs - beginMs) / PIECE_MS);
    const inPiece = requests / pieces;
    return {
      beginMs,
      endMs,
      requests,
      responses: requests,
      latencyUs: latencies,
      firstResponseUs: newHistogram(),
      betweenResponsesUs: newHistogram(),
      failures: failed === 0 ? new Map() : new Map([['HTTP 503', { count: failed, message: 'too busy' }]]),
      late: 0,
      lateUs: newHistogram(),
      backlog: 0,
      sendUs: requests * 3,
      receiveUs: requests * 2,
      cpuUs: requests * 10,
      threads: 1,
      sequences: 0,
      pieces: Array.from({ length: pieces }, () => ({
        requests: inPiece,
        failures: failed / pieces,
        sumUs: inPiece * latencyUs,
        maxUs: latencyUs,
      })),
    };
  }
}

/** Moves the clock on, a millisecond at a time, until the promise is settled. */
export async function withTime<T>(clock: HandClock, promise: Promise<T>, atMs?: (ms: number) => void): Promise<T> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  while (!isSettled) {
    await new Promise(setImmediate);
    if (clock.timers === 0) continue;
    clock.advance(1000);
    atMs?.(clock.nowUs() / 1000);
  }
  return promise;
}
