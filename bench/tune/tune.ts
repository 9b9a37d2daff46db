import { availableParallelism } from 'node:os';
import { Interrupted } from '../load/measure/run-end.js';
import type { LoadResult } from '../load/report.js';
import { failedMeasurement, measurementOf } from './measurement.js';
import { changesTo, type ModelSettings, searchSpace, startPoint } from './model-space.js';
import type { TuneOptions } from './options.js';
import { RepositoryOverlay } from './repository-overlay.js';
import { isWithin, type Limits, type Measurement, ranking, Search, type Trial } from './search.js';
import { type Candidate, isSameCandidate, type Point, type SearchSpace, sizeOf } from './space.js';
import { type Care, TrialServer } from './trial-server.js';

/** What `conch tune` found out. */
export interface TuneReport {
  readonly format: 'conch-tune-1';
  readonly model: string;
  readonly startedAt: string;
  readonly command: string;
  readonly cores: number;
  readonly percentile: number | null;
  readonly limits: Limits;
  readonly space: SearchSpace;
  /** Of the whole grid. */
  readonly gridPoints: number;
  /** All that was measured in the search, in that order. */
  readonly trials: readonly Trial[];
  /** What the model has now, under the load at which it does best. */
  readonly current: Confirmed;
  /** Within the limits, measured again with more care; the best first. Empty = nothing is within them. */
  readonly best: readonly Confirmed[];
  /** Its file as it is, and as it should be for the first of `best`. */
  readonly configFile: string;
  readonly configBefore: string;
  readonly configAfter: string;
  /** The time, or the user, ended the search. */
  readonly isPartial: boolean;
  /** The user ended it, in the search or later. */
  readonly isInterrupted: boolean;
}

export interface Confirmed extends Trial {
  /** null = it failed, or the user ended it before. */
  readonly result: LoadResult | null;
}

export interface TuneHooks {
  /** Aborted by Ctrl-C: the best of what was measured is the report. */
  readonly signal: AbortSignal;
  readonly command: string;
  /** `count` = measurements so far, this one included. */
  onTrial(trial: Trial, count: number, stage: 'search' | 'confirm'): void;
}

const CORES = availableParallelism();

/** A first look is short; one that decides waits until it is stable. */
const CONFIRM_TRIALS = 6;
const SEARCH_TRIALS = 1;
const CONFIRM_FACTOR = 2;

/** Rejects with a named error where the model cannot be tuned, the server does not start with it as it is, or (`Interrupted`) nothing was measured. */
export async function tune(options: TuneOptions, hooks: TuneHooks): Promise<TuneReport> {
  const overlay = await RepositoryOverlay.create(options.modelRepository, options.model);
  const server = new TrialServer(options, overlay, hooks.signal);
  try {
    return await new Tuning(options, hooks, overlay, server).run();
  } finally {
    await server.stop();
    await overlay.remove();
  }
}

class Tuning {
  readonly #options: TuneOptions;
  readonly #hooks: TuneHooks;
  readonly #overlay: RepositoryOverlay;
  readonly #server: TrialServer;
  readonly #limits: Limits;
  #count = 0;
  #settings: ModelSettings | null = null;

  constructor(options: TuneOptions, hooks: TuneHooks, overlay: RepositoryOverlay, server: TrialServer) {
    this.#options = options;
    this.#hooks = hooks;
    this.#overlay = overlay;
    this.#server = server;
    this.#limits = { latencyUs: options.latencyLimitUs, memoryBytes: options.memoryLimitBytes };
  }

  async run(): Promise<TuneReport> {
    const startedAt = new Date().toISOString();
    const settings = await this.#server.settings().catch((error: Error) => {
      throw this.#hooks.signal.aborted ? new Interrupted() : error;
    });
    this.#settings = settings;
    const space = searchSpace(settings, this.#options.bounds, CORES);
    const start = startPoint(settings, space, CORES);
    const search = new Search({
      space,
      limits: this.#limits,
      start,
      measure: (point) => this.#look(point),
      mayGoOn: this.#deadline(),
      onTrial: (trial) => this.#hooks.onTrial(trial, ++this.#count, 'search'),
    });
    await search.run();
    if (search.trials.length === 0 && this.#hooks.signal.aborted) throw new Interrupted();
    const { current, best } = await this.#confirmBest(start, search.trials);
    return this.#reportOf({ startedAt, space, trials: search.trials, current, best, isPartial: search.isCutShort });
  }

  #reportOf(found: Pick<TuneReport, 'startedAt' | 'space' | 'trials' | 'current' | 'best' | 'isPartial'>): TuneReport {
    const { configText, configFile } = this.#overlay;
    const [first] = found.best;
    return {
      format: 'conch-tune-1',
      ...found,
      model: this.#options.model,
      percentile: this.#options.percentile,
      cores: CORES,
      command: this.#hooks.command,
      limits: this.#limits,
      gridPoints: sizeOf(found.space),
      configFile,
      configBefore: configText,
      configAfter: first === undefined ? configText : this.#configOf(first.point),
      isInterrupted: this.#hooks.signal.aborted,
    };
  }

  /** What the model has now is among those that are measured again: a search that was lucky once proposes nothing worse. */
  async #confirmBest(start: Point, trials: readonly Trial[]): Promise<Pick<TuneReport, 'current' | 'best'>> {
    const current = await this.#confirm(bestLoadOf(start, trials));
    const confirmed = [current];
    for (const trial of ranking(trials).slice(0, this.#options.best)) {
      if (!isSameCandidate(trial.point, current.point)) confirmed.push(await this.#confirm(trial));
    }
    const good = confirmed
      .filter(({ isWithinLimits }) => isWithinLimits)
      .sort((a, b) => b.measurement.throughput - a.measurement.throughput);
    return { current, best: good.slice(0, this.#options.best) };
  }

  /** A server that does not start with a configuration is a measurement too: it can do nothing. */
  async #look(point: Point): Promise<Measurement | null> {
    try {
      const care = { intervalMs: this.#options.intervalMs, maxTrials: SEARCH_TRIALS };
      return measurementOf(await this.#measure(point, care), this.#options.percentile);
    } catch (error) {
      if (this.#hooks.signal.aborted) return null;
      // That is the model as it is: what is wrong with it, or with the requests, is so with all points.
      if (this.#count === 0) throw error;
      return failedMeasurement((error as Error).message);
    }
  }

  async #confirm(trial: Trial): Promise<Confirmed> {
    if (this.#hooks.signal.aborted) return { ...trial, result: null };
    const care = { intervalMs: this.#options.intervalMs * CONFIRM_FACTOR, maxTrials: CONFIRM_TRIALS };
    const result = await this.#measure(trial.point, care).catch((error: Error) => error);
    if (this.#hooks.signal.aborted && result instanceof Error) return { ...trial, result: null };
    const measurement =
      result instanceof Error ? failedMeasurement(result.message) : measurementOf(result, this.#options.percentile);
    const confirmed = { point: trial.point, measurement, isWithinLimits: isWithin(measurement, this.#limits) };
    this.#hooks.onTrial(confirmed, ++this.#count, 'confirm');
    return { ...confirmed, result: result instanceof Error ? null : result };
  }

  #measure(point: Point, care: Care): Promise<LoadResult> {
    return this.#server.measure(this.#configOf(point), point.concurrency, care);
  }

  #configOf(candidate: Candidate): string {
    return this.#overlay.textWith(changesTo(candidate, this.#settings!, CORES));
  }

  #deadline(): () => boolean {
    const { timeBudgetSeconds } = this.#options;
    const endMs = timeBudgetSeconds === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeBudgetSeconds * 1000;
    return () => !this.#hooks.signal.aborted && performance.now() < endMs;
  }
}

/** The point of the same candidate with the greatest throughput, of those within the limits if there is one. */
export function bestLoadOf(start: Point, trials: readonly Trial[]): Trial {
  const own = trials.filter(({ point }) => isSameCandidate(point, start));
  const within = own.filter(({ isWithinLimits }) => isWithinLimits);
  const [first, ...others] = within.length > 0 ? within : own;
  if (first === undefined)
    return { point: start, measurement: failedMeasurement('it was not measured'), isWithinLimits: false };
  return others.reduce(
    (best, trial) => (trial.measurement.throughput > best.measurement.throughput ? trial : best),
    first,
  );
}
