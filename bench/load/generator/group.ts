import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import type { Load } from '../load.js';
import { mergeHistograms, newHistogram } from '../measure/histogram.js';
import { countsOf } from '../measure/merge-windows.js';
import type { Piece, Window } from '../measure/window.js';
import type { LoadGenerator } from './load-generator.js';
import type { PostedPieces, PostedWindow } from './recorder.js';

/** One of the drivers that share a load. */
export interface DriverPort {
  readonly answered: number;
  readonly succeeded: number;
  provide(load: Load): Promise<void>;
  begin(load: Load, beginMs: number, limit: number): void;
  take(): Promise<PostedWindow>;
  drain(): Promise<PostedWindow>;
  close(): Promise<void>;
}

export interface PortUser {
  onExhausted(): void;
  onBroken(error: Error): void;
}

/** An open load begins so much later than it is asked for, so that all threads have heard of it. */
const HEAD_START_MS = 20;

/** The drivers of a run as one generator. */
export class DriverGroup implements LoadGenerator {
  readonly broken: Promise<never>;
  readonly #ports: readonly DriverPort[];
  /** Ports that have something to send. */
  #active = 0;
  readonly #exhausted = new Set<number>();
  /** CPU time of this process counts as the generator's. */
  readonly #isOwnProcess: boolean;
  #cpu = process.cpuUsage();
  #breakDown!: (error: Error) => void;

  /** @param open makes the port of the `nth` of `of` drivers */
  constructor(count: number, isOwnProcess: boolean, open: (nth: number, user: PortUser) => DriverPort) {
    this.broken = new Promise((_, reject) => (this.#breakDown = reject));
    // It may come when nobody waits for it yet.
    this.broken.catch(() => {});
    this.#isOwnProcess = isOwnProcess;
    this.#ports = Array.from({ length: count }, (_, nth) => open(nth, this.#userOf(nth)));
  }

  get answered(): number {
    return this.#ports.reduce((sum, port) => sum + port.answered, 0);
  }

  get succeeded(): number {
    return this.#ports.reduce((sum, port) => sum + port.succeeded, 0);
  }

  get isOver(): boolean {
    return this.#active > 0 && this.#exhausted.size === this.#active;
  }

  async start(load: Load, requestLimit: number): Promise<void> {
    await this.#all((port) => port.provide(load));
    const beginMs = performance.timeOrigin + performance.now() + HEAD_START_MS;
    this.#active = load.kind === 'closed' ? Math.min(this.#ports.length, load.concurrency) : this.#ports.length;
    this.#exhausted.clear();
    this.#cpu = process.cpuUsage();
    for (const port of this.#ports) port.begin(load, beginMs, requestLimit);
  }

  async take(): Promise<Window> {
    return this.#window(await this.#all((port) => port.take()));
  }

  async drain(): Promise<Window> {
    return this.#window(await this.#all((port) => port.drain()));
  }

  async close(): Promise<readonly string[]> {
    await Promise.all(this.#ports.map((port) => port.close()));
    return [];
  }

  #all<T>(ask: (port: DriverPort) => Promise<T>): Promise<T[]> {
    return Promise.race([Promise.all(this.#ports.map(ask)), this.broken]);
  }

  #userOf(nth: number): PortUser {
    return {
      onExhausted: () => this.#exhausted.add(nth),
      onBroken: (error) => this.#breakDown(error),
    };
  }

  #window(parts: readonly PostedWindow[]): Window {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    return { ...merged(parts), cpuUs: this.#isOwnProcess ? user + system : 0, threads: this.#active };
  }
}

/** What threads did at the same time; it begins where the first of them began, and ends where the last ended. */
export function merged(parts: readonly PostedWindow[]): Omit<Window, 'cpuUs' | 'threads'> {
  const histogram = (of: (part: PostedWindow) => string) =>
    mergeHistograms(parts.map((part) => (of(part) === '' ? newHistogram() : decodeFromCompressedBase64(of(part)))));
  const lateUs = histogram((part) => part.lateUs);
  return {
    beginMs: Math.min(...parts.map(({ beginMs }) => beginMs)),
    endMs: Math.max(...parts.map(({ endMs }) => endMs)),
    ...countsOf(parts),
    latencyUs: histogram((part) => part.latencyUs),
    firstResponseUs: histogram((part) => part.firstResponseUs),
    betweenResponsesUs: histogram((part) => part.betweenResponsesUs),
    late: lateUs.totalCount,
    lateUs,
    backlog: parts.reduce((sum, { backlog }) => sum + backlog, 0),
    pieces: mergedPieces(parts.map(({ pieces }) => pieces)),
  };
}

function mergedPieces(all: readonly PostedPieces[]): Piece[] {
  const length = Math.max(...all.map(({ requests }) => requests.length));
  return Array.from({ length }, (_, index) => ({
    requests: all.reduce((sum, { requests }) => sum + (requests[index] ?? 0), 0),
    failures: all.reduce((sum, { failures }) => sum + (failures[index] ?? 0), 0),
    sumUs: all.reduce((sum, { sumUs }) => sum + (sumUs[index] ?? 0), 0),
    maxUs: Math.max(...all.map(({ maxUs }) => maxUs[index] ?? 0)),
  }));
}
