import type { ServerLog } from '../base/log.js';
import type { Mark } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { parseVersion } from '../repository/lookup.js';
import type { ModelManager } from '../repository/manager.js';
import type { IndexEntry } from '../repository/model-record.js';
import type { ModelRepository } from '../repository/model-repository.js';
import type { LoadOverrides } from '../repository/overrides.js';
import type { Tracing } from '../telemetry/trace/tracing.js';
import { invalid } from '../types/errors.js';
import { mayWaitFor } from './call-graph.js';
import { type ModelMetadata, modelMetadata } from './metadata.js';
import { ClientRegions } from './regions/client-regions.js';
import type { ServedModel } from './served-model.js';

/** starting: models load. ready. draining: answers what it has, takes nothing new. stopped. */
export type ServerState = 'starting' | 'ready' | 'draining' | 'stopped';

export interface ServerSettings {
  /** `--id`. */
  readonly id: string;
  readonly version: string;
  readonly strictReadiness: boolean;
  readonly tracing: Tracing;
  readonly log: ServerLog;
  /** `--allow-client-shm` */
  readonly allowClientShm: boolean;
  /** Where each value of a model's configuration comes from, by its path; null = that is not known. */
  readonly marksOf: (model: ServedModel) => ReadonlyMap<string, Mark> | null;
}

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** What this server speaks beyond the core protocol, in Triton's order (fact sheet 0.2); only what is there. */
const extensions = [
  'classification',
  'sequence',
  'model_repository',
  'schedule_policy',
  'model_configuration',
  'system_shared_memory',
  'cuda_shared_memory',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
] as const;

/** Every operation a protocol can ask for. */
export class InferenceServer {
  readonly #settings: ServerSettings;
  readonly #manager: ModelManager<ServedModel>;
  readonly #repository: ModelRepository<ServedModel>;
  /** The shared memory of clients. */
  readonly regions: ClientRegions;
  #state: ServerState = 'starting';

  constructor(settings: ServerSettings, manager: ModelManager<ServedModel>, repository: ModelRepository<ServedModel>) {
    this.#settings = settings;
    this.regions = new ClientRegions(settings.allowClientShm);
    this.#manager = manager;
    this.#repository = repository;
  }

  get state(): ServerState {
    return this.#state;
  }

  /** All models have been loaded or have failed. */
  opened(): void {
    this.#state = 'ready';
  }

  get isLive(): boolean {
    return this.#state === 'ready' || this.#state === 'draining';
  }

  get isReady(): boolean {
    return this.#state === 'ready' && this.#manager.ready(this.#settings.strictReadiness, (model) => model.isReady);
  }

  /** What it says, and how much of it. */
  get log(): ServerLog {
    return this.#settings.log;
  }

  get tracing(): Tracing {
    return this.#settings.tracing;
  }

  /** '' = the latest ready version. Throws NOT_FOUND or UNAVAILABLE with the texts of fact sheet 0.3. */
  find(name: string, version: string): ServedModel {
    return this.#manager.find(name, version);
  }

  configMarks(model: ServedModel): ReadonlyMap<string, Mark> | null {
    return this.#settings.marksOf(model);
  }

  isModelReady(name: string, version: string): boolean {
    return this.#state === 'ready' && this.find(name, version).isReady;
  }

  metadata(): ServerMetadata {
    return { name: this.#settings.id, version: this.#settings.version, extensions };
  }

  modelMetadata(name: string, version: string): ModelMetadata {
    const model = this.find(name, version);
    const versions = version === '' ? this.#manager.readyVersions(name) : [model.version];
    return modelMetadata(model, versions);
  }

  /** Names of all models with a ready version. */
  modelNames(): string[] {
    return [...new Set(this.#manager.loaded().map((model) => model.name))].sort();
  }

  /** As fact sheet 1.5: what the server knows of every version, and the names of models that it could load. */
  index(readyOnly: boolean): Promise<IndexEntry[]> {
    return this.#repository.index(readyOnly);
  }

  /** What the server knows of every version, by name, then version. */
  states(): IndexEntry[] {
    return this.#manager.index();
  }

  /** The configurations of all models that are known, also of those that do not serve, by name. */
  configs(): ReadonlyMap<string, ModelConfig> {
    const configs = new Map(this.#manager.configs());
    for (const { name, config } of this.#manager.loaded()) configs.set(name, config);
    return configs;
  }

  /** Resolves when the model serves. Throws with the texts of fact sheet 1.5. */
  load(name: string, overrides: LoadOverrides): Promise<void> {
    return this.#repository.load(name, overrides);
  }

  /**
   * Nobody finds the model from now on, nor the ensembles that need it. Throws with the texts of fact sheet 1.5.
   * @param withSteps also the steps that were loaded only because of it
   */
  unload(name: string, withSteps: boolean): void {
    this.#repository.unload(name, withSteps);
  }

  /** The ready versions of a model whose statistics are asked for, ascending; throws INVALID_ARGUMENT where there is none (fact sheet 1.4). */
  loadedVersions(name: string, version: string): ServedModel[] {
    const models = this.#manager.loaded().filter((model) => model.name === name);
    if (models.length === 0) throw invalid(`requested model '${name}' is not available`);
    if (version === '') return models;
    const number = parseVersion(version);
    const model = models.find((candidate) => BigInt(candidate.version) === number);
    if (model === undefined) throw invalid(`requested model version is not available for model '${name}'`);
    return [model];
  }

  /** All ready versions of all models, by name and version. */
  loaded(): ServedModel[] {
    return this.#manager.loaded();
  }

  /** Not ready from now on; resolves when every accepted request is answered. */
  async drain(): Promise<void> {
    this.#state = 'draining';
    this.#manager.endLoads();
    await drainAll(this.#manager.loaded());
  }

  async stop(): Promise<void> {
    await this.#manager.unloadAll();
    this.#state = 'stopped';
  }
}

/** A model goes on until those that may need its answers have drained. */
async function drainAll(models: readonly ServedModel[]): Promise<void> {
  const drained = new Map<ServedModel, Promise<void>>();
  const drain = (model: ServedModel): Promise<void> => {
    const users = models.filter((user) => mayWaitFor(user, model));
    const done = drained.get(model) ?? Promise.all(users.map(drain)).then(() => model.drain());
    drained.set(model, done);
    return done;
  };
  await Promise.all(models.map(drain));
}
