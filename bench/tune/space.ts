/** What may be changed of a model's configuration. */
export interface Candidate {
  /** `instance_group.count` */
  readonly instances: number;
  /** `max_batch_size`; 0 = the model has no batch dimension. */
  readonly maxBatchSize: number;
  /** `dynamic_batching.max_queue_delay_microseconds`; null = no dynamic batching. */
  readonly queueDelayUs: number | null;
  /** `intra_op_thread_count` of each instance; null = the model has no such parameter. */
  readonly threads: number | null;
}

/** A candidate under a closed load. */
export interface Point extends Candidate {
  readonly concurrency: number;
}

/** The values that are tried, ascending; one value = it is not changed. */
export interface SearchSpace {
  readonly instances: readonly number[];
  readonly maxBatchSize: readonly number[];
  readonly queueDelayUs: readonly (number | null)[];
  readonly threads: readonly (number | null)[];
  readonly concurrency: readonly number[];
}

export const DIMENSIONS = ['instances', 'maxBatchSize', 'queueDelayUs', 'threads', 'concurrency'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export function isSameCandidate(a: Candidate, b: Candidate): boolean {
  return (
    a.instances === b.instances &&
    a.maxBatchSize === b.maxBatchSize &&
    a.queueDelayUs === b.queueDelayUs &&
    a.threads === b.threads
  );
}

export function isSamePoint(a: Point, b: Point): boolean {
  return isSameCandidate(a, b) && a.concurrency === b.concurrency;
}

/** A point by the places of its values in the space. */
export type Place = Readonly<Record<Dimension, number>>;

export function pointAt(space: SearchSpace, place: Place): Point {
  return {
    instances: space.instances[place.instances]!,
    maxBatchSize: space.maxBatchSize[place.maxBatchSize]!,
    queueDelayUs: space.queueDelayUs[place.queueDelayUs]!,
    threads: space.threads[place.threads]!,
    concurrency: space.concurrency[place.concurrency]!,
  };
}

/** All points of the full grid. */
export function sizeOf(space: SearchSpace): number {
  return DIMENSIONS.reduce((product, dimension) => product * space[dimension].length, 1);
}

export function keyOf(place: Place): string {
  return DIMENSIONS.map((dimension) => place[dimension]).join(',');
}

/** The place one step further in one dimension, up or down; null = that is outside. */
export function step(space: SearchSpace, place: Place, dimension: Dimension, by: 1 | -1): Place | null {
  const index = place[dimension] + by;
  return index < 0 || index >= space[dimension].length ? null : { ...place, [dimension]: index };
}

/** The place whose values are nearest. */
export function nearest(space: SearchSpace, point: Point): Place {
  const indexOf = (dimension: Dimension) => nearestIndex(space[dimension], point[dimension]);
  return Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, indexOf(dimension)])) as Place;
}

function nearestIndex(values: readonly (number | null)[], wanted: number | null): number {
  const distances = values.map((value) => Math.abs((value ?? -1) - (wanted ?? -1)));
  return distances.indexOf(Math.min(...distances));
}
