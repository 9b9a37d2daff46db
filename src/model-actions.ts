import type { Backend } from './backends/backend.js';
import { monotonicUs, systemClock } from './base/clock.js';
import type { Log } from './base/log.js';
import type { ModelConfig } from './config/model-config.js';
import { type Machine, normalizeConfig } from './config/normalize.js';
import type { Options } from './config/options.js';
import { validateConfig } from './config/validate.js';
import { adjustModel, type LoadSettings, loadModel, type ModelVersionSource } from './core/load-model.js';
import type { Model } from './core/model.js';
import type { Arena } from './memory/arena.js';
import type { ManagerActions } from './repository/manager.js';
import { removeOverrides } from './repository/overrides.js';
import type { WantedModel, WantedVersion } from './repository/wanted.js';
import { latencyDetail } from './server-telemetry.js';

/** What the manager of models does with them. */
export class ModelActions implements ManagerActions<Model> {
  readonly #options: Options;
  readonly #arena: Arena;
  readonly #log: Log;
  readonly #settings: LoadSettings;

  constructor(options: Options, machine: Machine, backends: readonly Backend[], arena: Arena, log: Log) {
    this.#options = options;
    this.#arena = arena;
    this.#log = log;
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

  async load(model: WantedModel, version: WantedVersion, signal: AbortSignal): Promise<Model> {
    const startUs = monotonicUs();
    const { sequenceMaxBacklog } = this.#options;
    const surroundings = { arena: this.#arena, clock: systemClock, log: this.#log, sequenceMaxBacklog };
    const loaded = await loadModel(sourceOf(model, version), this.#settings, surroundings, signal);
    loaded.statistics.loadSeconds = (monotonicUs() - startUs) / 1e6;
    return loaded;
  }

  adjust(loaded: Model, model: WantedModel, version: WantedVersion): Promise<boolean> {
    return adjustModel(loaded, sourceOf(model, version), this.#settings, this.#log);
  }

  async unload(loaded: Model, heir: Model | null): Promise<void> {
    await loaded.retire(heir);
    await loaded.stop();
  }

  async discard({ directory }: WantedModel): Promise<void> {
    await removeOverrides(directory);
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
