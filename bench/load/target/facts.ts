import type { CounterPair, ModelCounters, Scheduler, TargetModel, TargetTensor } from './target.js';

/**
 * What servers say, as the JSON of the V2 protocol, or a message of gRPC as an object. Members may be missing, and 64-bit integers are
 * numbers or strings: both are forms that servers use.
 */
export type Facts = Readonly<Record<string, unknown>>;

/** A model of a step; version '' = the latest. */
export interface ModelName {
  readonly name: string;
  readonly version: string;
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** A version in the index of a repository; '' = the server does not say. */
export interface ListedVersion {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

const NO_FACTS: Facts = {};

export function readServer(facts: Facts): ServerMetadata {
  return {
    name: textOf(facts.name),
    version: textOf(facts.version),
    extensions: listOf(facts.extensions).map(textOf),
  };
}

/**
 * @param version as asked for, '' = the latest
 * @param config null = the server tells none: then what it would say has its default
 */
export function readModel(
  metadata: Facts,
  config: Facts | null,
  version: string,
  composing: readonly ModelName[],
): TargetModel {
  const known = config ?? NO_FACTS;
  const optional = new Set(
    listOf(known.input)
      .map(factsOf)
      .filter((input) => isTrue(input.optional))
      .map((input) => textOf(input.name)),
  );
  const platform = textOf(metadata.platform);
  return {
    name: textOf(metadata.name),
    version: version === '' ? latest(listOf(metadata.versions).map(textOf)) : version,
    platform,
    maxBatchSize: numberOf(known.max_batch_size),
    inputs: readTensors(metadata.inputs, optional),
    outputs: readTensors(metadata.outputs, new Set()),
    scheduler: platform === 'ensemble' ? 'ensemble' : schedulerOf(known),
    isDecoupled: isTrue(factsOf(known.model_transaction_policy).decoupled),
    usesCache: isTrue(factsOf(known.response_cache).enable),
    composing,
  };
}

/** Models of the steps of an ensemble, in their order; empty where it is none. */
export function readSteps(config: Facts): ModelName[] {
  return listOf(factsOf(config.ensemble_scheduling).step)
    .map(factsOf)
    .map((step) => ({ name: textOf(step.model_name), version: stepVersion(step.model_version) }));
}

/** Of the repository: one for each version, or for a model of which none is known. */
export function readIndex(entries: unknown): ListedVersion[] {
  return listOf(entries)
    .map(factsOf)
    .map(({ name, version, state, reason }) => ({
      name: textOf(name),
      version: textOf(version),
      state: textOf(state),
      reason: textOf(reason),
    }));
}

/** Of `statistics`: one for each version. */
export function readCounters(facts: Facts): ModelCounters[] {
  return listOf(facts.model_stats).map(factsOf).map(readVersion);
}

function readVersion(facts: Facts): ModelCounters {
  const stats = factsOf(facts.inference_stats);
  return {
    name: textOf(facts.name),
    version: textOf(facts.version),
    inferences: numberOf(facts.inference_count),
    executions: numberOf(facts.execution_count),
    success: pairOf(stats.success),
    fail: pairOf(stats.fail),
    queue: pairOf(stats.queue),
    computeInput: pairOf(stats.compute_input),
    computeInfer: pairOf(stats.compute_infer),
    computeOutput: pairOf(stats.compute_output),
    cacheHit: pairOf(stats.cache_hit),
    cacheMiss: pairOf(stats.cache_miss),
  };
}

function schedulerOf(config: Facts): Scheduler {
  const has = (member: string) => config[member] !== undefined && config[member] !== null;
  if (has('ensemble_scheduling')) return 'ensemble';
  if (has('sequence_batching')) {
    return isTrue(factsOf(config.sequence_batching).iterative_sequence) ? 'iterative' : 'sequence';
  }
  return has('dynamic_batching') ? 'dynamic' : 'default';
}

function readTensors(tensors: unknown, optional: ReadonlySet<string>): TargetTensor[] {
  return listOf(tensors)
    .map(factsOf)
    .map((tensor) => ({
      name: textOf(tensor.name),
      datatype: textOf(tensor.datatype),
      shape: listOf(tensor.shape).map(numberOf),
      isOptional: optional.has(textOf(tensor.name)),
    }));
}

/** The greatest; '' = there is none. */
function latest(versions: readonly string[]): string {
  return versions.reduce((greatest, version) => (Number(version) > Number(greatest) ? version : greatest), '');
}

/** -1 (and what is left out) = the latest. */
function stepVersion(version: unknown): string {
  const number = numberOf(version);
  return number > 0 ? String(number) : '';
}

function pairOf(pair: unknown): CounterPair {
  const { count, ns } = factsOf(pair);
  return { count: numberOf(count), ns: numberOf(ns) };
}

export function factsOf(value: unknown): Facts {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Facts) : NO_FACTS;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

/** 0 = it is missing, or no number. */
function numberOf(value: unknown): number {
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : 0;
  return Number.isFinite(number) ? number : 0;
}
