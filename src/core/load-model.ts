import type { Backend, PreparedModel } from '../backends/backend.js';
import type { InstanceSpec } from '../backends/instance-spec.js';
import type { StateLayout } from '../backends/worker-protocol.js';
import type { Log } from '../base/log.js';
import { fixedPart } from '../config/in-place.js';
import type { ModelConfig } from '../config/model-config.js';
import type { LatencyDetail } from '../telemetry/latency-detail.js';
import { ModelStatistics } from '../telemetry/statistics.js';
import { ServerError } from '../types/errors.js';
import { batchInputsOf, batchOutputsOf } from './batch-io.js';
import type { CacheOf } from './cache/response-cache.js';
import { demandOf, instancePlaces, kindOf, type NamedPlace } from './instance-places.js';
import { readLabels } from './labels.js';
import { Model } from './model.js';
import type { ModelSurroundings } from './model-parts.js';
import { type Labels, ModelTensors } from './model-tensors.js';
import { sequenceStates } from './sequence-states.js';
import type { ModelVersionSource } from './version-source.js';
import { readWarmupFiles } from './warmup-files.js';
import { warmupSamples } from './warmup-samples.js';

export interface LoadSettings {
  readonly backends: ReadonlyMap<string, Backend>;
  readonly autoComplete: boolean;
  /** `--backend-config`, by backend; '' = for all. */
  readonly backendConfig: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What is measured of the model beside its counters; null = nothing. */
  readonly latencyDetail: (config: ModelConfig) => LatencyDetail | null;
  /** The response cache of what is loaded; null or absent = answers are not kept. */
  readonly cacheOf?: CacheOf | null;
  /** Normalises and validates what the backend completed; throws INVALID_ARGUMENT. */
  readonly finish: (config: ModelConfig) => ModelConfig;
}

/**
 * Loads one version: its backend completes the configuration, its instances start. Throws a ServerError; nothing is left behind. Where
 * `signal` is aborted meanwhile, the model may come without instances.
 */
export async function loadModel(
  source: ModelVersionSource,
  settings: LoadSettings,
  surroundings: ModelSurroundings,
  signal: AbortSignal,
): Promise<Model> {
  const { prepared, config, labels } = await prepareModel(source, settings, surroundings.log);
  const tensors = new ModelTensors(config, labels, prepared);
  const states = await sequenceStates(config, source.directory);
  const files = await readWarmupFiles(config, source.directory);
  const statistics = new ModelStatistics(settings.latencyDetail(config));
  const parts = {
    name: source.name,
    version: source.version,
    config,
    tensors,
    specs: instanceSpecs(source, config, prepared, tensors, states),
    states,
    warmup: warmupSamples({ config, tensors, states, files }),
    statistics,
    cache: settings.cacheOf?.({ config, tensors, statistics }) ?? null,
  };
  const model = new Model(parts, surroundings);
  try {
    await model.start(signal);
    return model;
  } catch (error) {
    await model.stop();
    throw error;
  }
}

/**
 * Gives a model that serves the settings of `source`, whose files are those that it was loaded from. False = they differ in more than can be
 * changed without a load; nothing was changed. Throws a ServerError where the new configuration is wrong.
 */
export async function adjustModel(
  model: Model,
  source: ModelVersionSource,
  settings: LoadSettings,
  log: Log,
): Promise<boolean> {
  const { prepared, config, labels } = await prepareModel(source, settings, log);
  if (fixedPart(config) !== fixedPart(model.config)) return false;
  const states = await sequenceStates(config, source.directory);
  await model.adjust(config, instanceSpecs(source, config, prepared, model.tensors, states), labels);
  return true;
}

interface Preparation {
  readonly prepared: PreparedModel;
  readonly config: ModelConfig;
  readonly labels: Labels;
}

async function prepareModel(source: ModelVersionSource, settings: LoadSettings, log: Log): Promise<Preparation> {
  const backend = findBackend(source.config, settings.backends);
  const prepared = await backend.prepare({
    ...source,
    autoComplete: settings.autoComplete,
    settings: backendSettings(backend.name, settings.backendConfig),
    log,
  });
  const config = settings.finish(prepared.config);
  return { prepared, config, labels: await readLabels(config, source.directory) };
}

function findBackend(config: ModelConfig, backends: ReadonlyMap<string, Backend>): Backend {
  const backend = backends.get(config.backend);
  if (backend !== undefined) return backend;
  const known = [...backends.keys()].map((name) => `'${name}'`).join(', ');
  throw new ServerError(
    'INVALID_ARGUMENT',
    `unable to find backend '${config.backend || config.platform}' for model '${config.name}'; this server has ${known}`,
  );
}

function backendSettings(
  backend: string,
  all: ReadonlyMap<string, ReadonlyMap<string, string>>,
): ReadonlyMap<string, string> {
  return new Map([...(all.get('') ?? []), ...(all.get(backend) ?? [])]);
}

function instanceSpecs(
  source: ModelVersionSource,
  config: ModelConfig,
  prepared: PreparedModel,
  tensors: ModelTensors,
  states: readonly StateLayout[],
): InstanceSpec[] {
  return instancePlaces({ ...config, name: source.name }).map((place: NamedPlace) => ({
    model: source.name,
    instance: place.name,
    kind: kindOf(place),
    passive: place.group.passive,
    demand: demandOf(place),
    maxEntries: tensors.maxRows,
    maxRows: tensors.maxRows,
    batching: tensors.maxBatchSize > 0,
    inputs: tensors.inputLayouts(),
    outputs: tensors.outputLayouts(),
    outputOwner: tensors.owners.output,
    batchInputs: batchInputsOf(config),
    batchOutputs: batchOutputsOf(config),
    states,
    wakesAtOnce: config.sequence_batching !== undefined && config.sequence_batching.oldest === undefined,
    settings: prepared.settingsFor(place),
    worker: prepared.worker,
    thread: prepared.thread,
    inParts: prepared.answersEach,
    isDecoupled: prepared.answersEach && (config.model_transaction_policy?.decoupled ?? false),
  }));
}
