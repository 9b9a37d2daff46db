import type { Backend } from './backends/backend.js';
import { monotonicUs, systemClock } from './base/clock.js';
import type { Log } from './base/log.js';
import type { ModelConfig } from './config/model-config.js';
import { isEnsemble, type Machine, normalizeConfig } from './config/normalize.js';
import type { Options } from './config/options.js';
import { validateConfig } from './config/validate.js';
import { loadEnsemble } from './core/ensemble/load-ensemble.js';
import { adjustModel, type LoadSettings, loadModel, type ModelVersionSource } from './core/load-model.js';
import { Model } from './core/model.js';
import type { FindModel } from './core/model-calls.js';
import type { ServedModel } from './core/served-model.js';
import type { Arena } from './memory/arena.js';
import type { ManagerActions } from './repository/actions.js';
import { removeOverrides } from './repository/overrides.js';
import type { WantedModel, WantedVersion } from './repository/wanted.js';
import { latencyDetail } from './server-telemetry.js';

export interface ActionSurroundings {
  readonly options: Options;
  readonly machine: Machine;
  readonly backends: readonly Backend[];
  readonly arena: Arena;
  readonly log: Log;
  readonly find: FindModel;
}

/** What the manager of models does with them. */
export class ModelActions implements ManagerActions<ServedModel> {
  readonly #options: Options;
  readonly #arena: Arena;
  readonly #log: Log;
  readonly #find: FindModel;
  readonly #settings: LoadSettings;

  constructor({ options, machine, backends, arena, log, find }: ActionSurroundings) {
    this.#options = options;
    this.#arena = arena;
    this.#log = log;
    this.#find = find;
    this.#settings = {
      backends: new Map(backends.map((backend) => [backend.name, backend])),
      autoComplete: !options.disableAutoCompleteConfig,
      backendConfig: options.backendConfig,
      latencyDetail: (config: ModelConfig) => latencyDetail(options, config),
      finish: (completed: ModelConfig) => {
        const config = normalizeConfig(completed, machine);
        validateConfig(config, machine, true);
        return config;
      },
    };
  }

  async load(
    model: WantedModel,
    version: WantedVersion,
    signal: AbortSignal,
    steps: readonly ServedModel[],
  ): Promise<ServedModel> {
    const startUs = monotonicUs();
    const source = sourceOf(model, version);
    const load = isEnsemble(source.config) ? this.#loadEnsemble(source, steps) : this.#loadModel(source, signal);
    const loaded = await load;
    loaded.statistics.loadSeconds = (monotonicUs() - startUs) / 1e6;
    return loaded;
  }

  async adjust(loaded: ServedModel, model: WantedModel, version: WantedVersion): Promise<boolean> {
    if (!(loaded instanceof Model) || isEnsemble(sourceOf(model, version).config)) return false;
    return adjustModel(loaded, sourceOf(model, version), this.#settings, this.#log);
  }

  async unload(loaded: ServedModel, heir: ServedModel | null): Promise<void> {
    await loaded.retire(heir);
    await loaded.stop();
  }

  async discard({ directory }: WantedModel): Promise<void> {
    await removeOverrides(directory);
  }

  #loadModel(source: ModelVersionSource, signal: AbortSignal): Promise<ServedModel> {
    const { sequenceMaxBacklog, responseTimeoutSecs } = this.#options;
    const surroundings = {
      arena: this.#arena,
      clock: systemClock,
      log: this.#log,
      sequenceMaxBacklog,
      responseTimeoutSecs,
      find: this.#find,
    };
    return loadModel(source, this.#settings, surroundings, signal);
  }

  #loadEnsemble(source: ModelVersionSource, steps: readonly ServedModel[]): Promise<ServedModel> {
    return loadEnsemble(source, steps, this.#settings, { arena: this.#arena, clock: systemClock });
  }
}

function sourceOf({ name, directory, config }: WantedModel, version: WantedVersion): ModelVersionSource {
  return {
    name,
    version: version.version,
    directory,
    versionDirectory: version.directory,
    config: config as ModelConfig,
  };
}
