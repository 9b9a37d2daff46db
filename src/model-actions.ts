import type { Backend } from './backends/backend.js';
import type { Gatekeeper } from './backends/instance-gate.js';
import { monotonicUs, systemClock } from './base/clock.js';
import type { Log } from './base/log.js';
import type { ModelConfig } from './config/model-config.js';
import { isEnsemble, type Machine, normalizeConfig } from './config/normalize.js';
import type { Options } from './config/options.js';
import { validateConfig } from './config/validate.js';
import type { CacheOf, ResponseCache } from './core/cache/response-cache.js';
import { loadEnsemble } from './core/ensemble/load-ensemble.js';
import { adjustModel, type LoadSettings, loadModel } from './core/load-model.js';
import { Model } from './core/model.js';
import type { FindModel } from './core/model-calls.js';
import type { ServedModel } from './core/served-model.js';
import type { ModelVersionSource } from './core/version-source.js';
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
  /** Null = `--cache-config` is not given. */
  readonly cache: ResponseCache | null;
  /** Null = `--rate-limit=off`. */
  readonly gatekeeper: Gatekeeper | null;
}

/** What the manager of models does with them. */
export class ModelActions implements ManagerActions<ServedModel> {
  readonly #options: Options;
  readonly #arena: Arena;
  readonly #log: Log;
  readonly #find: FindModel;
  readonly #cache: ResponseCache | null;
  readonly #gatekeeper: Gatekeeper | null;
  readonly #settings: LoadSettings;

  constructor({ options, machine, backends, arena, log, find, cache, gatekeeper }: ActionSurroundings) {
    this.#options = options;
    this.#arena = arena;
    this.#log = log;
    this.#find = find;
    this.#cache = cache;
    this.#gatekeeper = gatekeeper;
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
    const scope = await this.#scopeOf(source, steps);
    const settings = { ...this.#settings, cacheOf: this.#cacheOf(scope, steps) };
    const loaded = isEnsemble(source.config)
      ? await loadEnsemble(source, steps, settings, { arena: this.#arena, clock: systemClock, log: this.#log })
      : await this.#loadModel(source, settings, signal);
    this.#cache?.remember(loaded, scope);
    loaded.statistics.loadSeconds = (monotonicUs() - startUs) / 1e6;
    return loaded;
  }

  async adjust(loaded: ServedModel, model: WantedModel, version: WantedVersion): Promise<boolean> {
    if (!(loaded instanceof Model) || isEnsemble(sourceOf(model, version).config)) return false;
    const source = sourceOf(model, version);
    const scope = await this.#scopeOf(source, []);
    const isAdjusted = await adjustModel(loaded, source, this.#settings, this.#log);
    // Its labels may be others now.
    if (isAdjusted) {
      loaded.cache?.keys.rescope(scope);
      this.#cache?.remember(loaded, scope);
    }
    return isAdjusted;
  }

  async unload(loaded: ServedModel, heir: ServedModel | null): Promise<void> {
    await loaded.retire(heir);
    await loaded.stop();
  }

  async discard({ directory }: WantedModel): Promise<void> {
    await removeOverrides(directory);
  }

  /** '' = there is no cache. */
  async #scopeOf(source: ModelVersionSource, steps: readonly ServedModel[]): Promise<string> {
    if (this.#cache !== null) return this.#cache.scopeOf(source, steps);
    const { name, config } = source;
    if (config.response_cache?.enable) {
      this.#log.info(`model '${name}': response_cache needs --cache-config: nothing is cached`);
    }
    return '';
  }

  #cacheOf(scope: string, steps: readonly ServedModel[]): CacheOf | null {
    const cache = this.#cache;
    return cache === null ? null : (subject) => cache.cacheOf(scope, subject, steps);
  }

  #loadModel(source: ModelVersionSource, settings: LoadSettings, signal: AbortSignal): Promise<ServedModel> {
    const { sequenceMaxBacklog, responseTimeoutSecs } = this.#options;
    const surroundings = {
      arena: this.#arena,
      clock: systemClock,
      log: this.#log,
      sequenceMaxBacklog,
      responseTimeoutSecs,
      gatekeeper: this.#gatekeeper,
      find: this.#find,
    };
    return loadModel(source, settings, surroundings, signal);
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
