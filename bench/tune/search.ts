import {
  type Dimension,
  keyOf,
  nearest,
  type Place,
  type Point,
  pointAt,
  type SearchSpace,
  sizeOf,
  step,
} from './space.js';

/** What was found out about a point. */
export interface Measurement {
  /** Inferences per second. */
  readonly throughput: number;
  /** Of the percentile that decides. */
  readonly latencyUs: number;
  /** Of the server's process; 0 = it is not known. */
  readonly memoryBytes: number;
  /** Of requests; with any, a point is out of the question. */
  readonly failures: number;
  /** Of those; '' = none failed. */
  readonly reason: string;
}

/** null = none. */
export interface Limits {
  readonly latencyUs: number | null;
  readonly memoryBytes: number | null;
}

export interface Trial {
  readonly point: Point;
  readonly measurement: Measurement;
  readonly isWithinLimits: boolean;
}

export interface SearchOptions {
  readonly space: SearchSpace;
  readonly limits: Limits;
  /** What the model has now, and a load; the search begins there. */
  readonly start: Point;
  /** null = the measurement was cut short: as if it had not begun. */
  measure(point: Point): Promise<Measurement | null>;
  /** Asked before each measurement. */
  mayGoOn(): boolean;
  onTrial?(trial: Trial): void;
}

/** Of the points of the space: no more than a fifth is measured, but where that is next to nothing. */
const LARGEST_SHARE = 1 / 5;
const LEAST_TRIALS = 24;

/** A gain below this is noise, and of two points that are as good the one tried first stays. */
const LEAST_GAIN = 0.02;

/**
 * Looks for the point with the greatest throughput within the limits without trying all: climbs from a start, one step in one dimension at a time,
 * until none is better, and that from a few starts that lie far apart; from these tops, the best first, it tries two steps at once. What was measured is
 * never measured again, and the whole is at most a fifth of the space. It ends in an optimum of its neighbourhood, which need not be the best of all;
 * that is what the several starts are for.
 *
 * A step that helps is repeated in its direction at once: throughput over the number of instances, threads, the batch size or the concurrency mostly
 * rises to a knee and falls or stays behind it.
 */
export class Search {
  readonly #options: SearchOptions;
  readonly #trials = new Map<string, Trial>();
  /** There was more to try, and no time for it. */
  isCutShort = false;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** All that was measured, in that order. */
  get trials(): readonly Trial[] {
    return [...this.#trials.values()];
  }

  async run(): Promise<void> {
    const tops: Place[] = [];
    for (const start of starts(this.#options.space, this.#options.start)) {
      const top = await this.#climb(start);
      if (top !== null) tops.push(top);
    }
    const isBetter = (a: Place, b: Place) => Number(this.#isBetter(this.#at(a), this.#at(b)));
    tops.sort((a, b) => isBetter(b, a) - isBetter(a, b));
    for (const top of tops) await this.#refine(top);
  }

  async #refine(top: Place): Promise<void> {
    for (let place: Place | null = top, before: Place | null = null; place !== null && place !== before; ) {
      before = place;
      place = await this.#climb(await this.#firstBetter(place));
    }
  }

  /** To where no single step helps; null = the start could not be measured. */
  async #climb(start: Place): Promise<Place | null> {
    if ((await this.#try(start)) === null) return null;
    let place = start;
    for (let before: Place | null = null; before !== place; ) {
      before = place;
      for (const direction of SINGLE_STEPS) place = await this.#follow(place, direction);
    }
    return place;
  }

  /** From where no single step helps: two at once. */
  async #firstBetter(place: Place): Promise<Place> {
    for (const direction of DOUBLE_STEPS) {
      const further = await this.#follow(place, direction);
      if (further !== place) return further;
    }
    return place;
  }

  /** Of a place that was measured. */
  #at(place: Place): Trial {
    return this.#trials.get(keyOf(place))!;
  }

  /** As far in a direction as each step is better than the one before. */
  async #follow(from: Place, direction: Direction): Promise<Place> {
    let best = from;
    for (let next = this.#moved(best, direction); next !== null; next = this.#moved(best, direction)) {
      const trial = await this.#try(next);
      if (trial === null || !this.#isBetter(trial, this.#at(best))) return best;
      best = next;
    }
    return best;
  }

  /** null = that is outside. */
  #moved(from: Place, direction: Direction): Place | null {
    let place: Place | null = from;
    for (const [dimension, by] of direction) {
      if (place !== null) place = step(this.#options.space, place, dimension, by);
    }
    return place;
  }

  /** null = there is no time for it, or enough was measured. */
  async #try(place: Place): Promise<Trial | null> {
    const key = keyOf(place);
    const known = this.#trials.get(key);
    if (known !== undefined) return known;
    if (this.#trials.size >= Math.max(LEAST_TRIALS, sizeOf(this.#options.space) * LARGEST_SHARE)) return null;
    const point = pointAt(this.#options.space, place);
    const measurement = this.#options.mayGoOn() ? await this.#options.measure(point) : null;
    if (measurement === null) {
      this.isCutShort = true;
      return null;
    }
    const trial = { point, measurement, isWithinLimits: isWithin(measurement, this.#options.limits) };
    this.#trials.set(key, trial);
    this.#options.onTrial?.(trial);
    return trial;
  }

  #isBetter(trial: Trial, than: Trial): boolean {
    if (trial.isWithinLimits !== than.isWithinLimits) return trial.isWithinLimits;
    if (trial.isWithinLimits) return trial.measurement.throughput > than.measurement.throughput * (1 + LEAST_GAIN);
    return excess(trial.measurement, this.#options.limits) < excess(than.measurement, this.#options.limits);
  }
}

/** Steps that are made together. */
type Direction = readonly (readonly [Dimension, 1 | -1])[];

const UP_AND_DOWN = [1, -1] as const;

/** The load first: a configuration shows what it is worth only under enough of it. */
const SINGLE_STEPS: readonly Direction[] = (
  ['concurrency', 'maxBatchSize', 'instances', 'threads', 'queueDelayUs'] as const
).flatMap((dimension) => UP_AND_DOWN.map((by): Direction => [[dimension, by]]));

/** Of dimensions that make up for each other: instances share cores with their threads, and batches, instances and the load go together. */
const DOUBLE_STEPS: readonly Direction[] = (
  [
    ['instances', 'concurrency'],
    ['maxBatchSize', 'concurrency'],
    ['instances', 'threads'],
    ['threads', 'concurrency'],
    ['instances', 'maxBatchSize'],
  ] as const
).flatMap(([one, other]) =>
  UP_AND_DOWN.flatMap((first) =>
    UP_AND_DOWN.map(
      (second): Direction => [
        [one, first],
        [other, second],
      ],
    ),
  ),
);

/** Where climbs begin: what there is; many instances of one thread each; one instance with all threads. Both with large batches and much load. */
function starts(space: SearchSpace, start: Point): Place[] {
  const last = (dimension: Dimension) => space[dimension].length - 1;
  const busy = {
    maxBatchSize: last('maxBatchSize'),
    queueDelayUs: 0,
    concurrency: Math.max(0, last('concurrency') - 1),
  };
  const places: Place[] = [
    nearest(space, start),
    { ...busy, instances: last('instances'), threads: 0 },
    { ...busy, instances: 0, threads: last('threads') },
  ];
  const distinct = new Map(places.map((place) => [keyOf(place), place]));
  return [...distinct.values()];
}

export function isWithin({ latencyUs, memoryBytes, failures }: Measurement, limits: Limits): boolean {
  if (failures > 0) return false;
  if (limits.latencyUs !== null && latencyUs > limits.latencyUs) return false;
  return limits.memoryBytes === null || memoryBytes <= limits.memoryBytes;
}

/** How far beyond the limits: the greatest of the ratios. */
function excess({ latencyUs, memoryBytes, failures }: Measurement, limits: Limits): number {
  if (failures > 0) return Number.POSITIVE_INFINITY;
  return Math.max(
    latencyUs / (limits.latencyUs ?? Number.POSITIVE_INFINITY),
    memoryBytes / (limits.memoryBytes ?? Number.POSITIVE_INFINITY),
  );
}

/** Trials within the limits, the best load of each candidate, the best candidate first. */
export function ranking(trials: readonly Trial[]): Trial[] {
  const best = new Map<string, Trial>();
  for (const trial of trials) {
    const { concurrency: _, ...candidate } = trial.point;
    const key = JSON.stringify(candidate);
    const known = best.get(key);
    if (trial.isWithinLimits && (known === undefined || trial.measurement.throughput > known.measurement.throughput)) {
      best.set(key, trial);
    }
  }
  return [...best.values()].sort((a, b) => b.measurement.throughput - a.measurement.throughput);
}
