import type { TuneBounds } from './options.js';
import type { Candidate, Point, SearchSpace } from './space.js';

/** What matters of a model's configuration, as the server completed it. */
export interface ModelSettings {
  readonly name: string;
  readonly scheduler: 'default' | 'dynamic' | 'sequence' | 'ensemble';
  /** 0 = it has no batch dimension. */
  readonly maxBatchSize: number;
  /** Of all groups together. */
  readonly instances: number;
  /** null = no dynamic batching. */
  readonly queueDelayUs: number | null;
  /** It takes `intra_op_thread_count`. */
  readonly hasThreads: boolean;
  /** 0 = it does not say. */
  readonly threads: number;
  /** Names of the models that it is made of. */
  readonly steps: readonly string[];
}

const USUAL_DELAYS_US = [0, 100, 500, 2000];
const USUAL_CONCURRENCY = [1, 4, 16, 64, 256];
const LARGEST_BATCH = 64;

/**
 * What is tried: the bounds where they are given, else powers of two, up to the machine's cores for instances and threads. What the model has now is
 * always among it, so that the search begins there. Throws where nothing can be tuned.
 */
export function searchSpace(model: ModelSettings, bounds: TuneBounds, cores: number): SearchSpace {
  refuse(model, bounds);
  const batches = model.maxBatchSize > 0;
  const canDelay = batches && (model.scheduler === 'dynamic' || model.scheduler === 'default');
  return {
    instances: withValue(bounds.instances ?? powersOfTwo(cores), model.instances),
    maxBatchSize: batches
      ? withValue(bounds.maxBatchSize ?? powersOfTwo(LARGEST_BATCH, 4), model.maxBatchSize)
      : [model.maxBatchSize],
    queueDelayUs: canDelay ? delays(model, bounds) : [model.queueDelayUs],
    threads: model.hasThreads ? withValue(bounds.threads ?? powersOfTwo(cores), startThreads(model, cores)) : [null],
    concurrency: bounds.concurrency ?? USUAL_CONCURRENCY,
  };
}

/** Where the search begins: what the model has, under a load that keeps its instances busy. */
export function startPoint(model: ModelSettings, space: SearchSpace, cores: number): Point {
  const wanted = 2 * model.instances * Math.max(1, model.maxBatchSize);
  const enough = space.concurrency.find((concurrency) => concurrency >= wanted);
  return {
    instances: model.instances,
    maxBatchSize: model.maxBatchSize,
    queueDelayUs: model.queueDelayUs,
    threads: model.hasThreads ? startThreads(model, cores) : null,
    concurrency: enough ?? space.concurrency.at(-1)!,
  };
}

/** What has to be written so that the model is the candidate: what it has already is left out. */
export function changesTo(candidate: Candidate, model: ModelSettings, cores: number): Partial<Candidate> {
  const { instances, maxBatchSize, queueDelayUs, threads } = candidate;
  const unsaid = model.threads > 0 ? model.threads : usualThreads(instances, cores);
  return {
    ...(instances !== model.instances && { instances }),
    ...(maxBatchSize !== model.maxBatchSize && { maxBatchSize }),
    ...(queueDelayUs !== model.queueDelayUs && { queueDelayUs }),
    ...(threads !== null && threads !== unsaid && { threads }),
  };
}

function refuse({ name, scheduler, maxBatchSize, steps }: ModelSettings, bounds: TuneBounds): void {
  if (scheduler === 'ensemble') {
    throw new Error(
      `the model '${name}' is an ensemble, which runs nothing itself: tune its steps, ${steps.join(', ')}`,
    );
  }
  if (maxBatchSize === 0 && bounds.maxBatchSize !== null) {
    throw new Error(
      `--max-batch-size: the model '${name}' has no batch dimension (max_batch_size is 0); leave the flag out`,
    );
  }
  const cannotDelay = maxBatchSize === 0 || scheduler === 'sequence';
  if (cannotDelay && bounds.queueDelayUs !== null) {
    throw new Error(
      `--queue-delay-us: the model '${name}' has no dynamic batching, and cannot have it; leave the flag out`,
    );
  }
}

/** A model without dynamic batching is tried without it as well: that comes first. */
function delays({ queueDelayUs }: ModelSettings, bounds: TuneBounds): (number | null)[] {
  const values = bounds.queueDelayUs ?? USUAL_DELAYS_US;
  return queueDelayUs === null ? [null, ...values] : withValue(values, queueDelayUs);
}

function startThreads({ threads, instances }: ModelSettings, cores: number): number {
  return threads > 0 ? threads : usualThreads(instances, cores);
}

/** What the server takes where the configuration says nothing: the cores shared by the instances. */
function usualThreads(instances: number, cores: number): number {
  return Math.max(1, Math.floor(cores / instances));
}

function withValue(values: readonly number[], value: number): number[] {
  return [...new Set([...values, value])].sort((a, b) => a - b);
}

/** 1, 2, 4 ... `most`; `most` itself is always among them. */
function powersOfTwo(most: number, factor = 2): number[] {
  const values: number[] = [];
  for (let value = 1; value < most; value *= factor) values.push(value);
  return [...values, most];
}
