import type { Clock } from '../../base/clock.js';
import type { ModelConfig } from '../../config/model-config.js';
import type { ModelStatistics } from '../../telemetry/statistics.js';
import type { ModelTensors } from '../model-tensors.js';
import type { ServedModel } from '../served-model.js';
import type { ModelVersionSource } from '../version-source.js';
import { contentScope } from './content-scope.js';
import { ModelCache } from './model-cache.js';
import type { ResponseStore } from './response-store.js';

/** What is loaded, as far as its cache needs it. */
export interface CacheSubject {
  /** Complete and valid. */
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly statistics: ModelStatistics;
}

/** The cache of what is loaded; null = its answers are not kept. */
export type CacheOf = (subject: CacheSubject) => ModelCache | null;

/** The response cache of the server: one store for all models that ask for it (fact sheet 5.7). */
export class ResponseCache {
  readonly #store: ResponseStore;
  readonly #clock: Clock;
  /** Of what is loaded, where others see the same entries. */
  readonly #scopes = new WeakMap<ServedModel, string>();
  #loads = 0;

  constructor(store: ResponseStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Names a version and what it is made of. For this process alone each load is another, whatever is in its files. Rejects where they cannot be read.
   * @param steps the models of an ensemble; none = it is none
   */
  async scopeOf(source: ModelVersionSource, steps: readonly ServedModel[]): Promise<string> {
    this.#loads++;
    if (this.#store.isShared)
      return contentScope(
        source,
        steps.map((step) => this.#scopes.get(step)!),
      );
    return `${source.name}/${source.version}/${this.#loads}`;
  }

  /** The scope of a model that is loaded, for ensembles of it. */
  remember(model: ServedModel, scope: string): void {
    this.#scopes.set(model, scope);
  }

  cacheOf(
    scope: string,
    { config, tensors, statistics }: CacheSubject,
    steps: readonly ServedModel[],
  ): ModelCache | null {
    if (!config.response_cache?.enable || !steps.every(answersAlike)) return null;
    const isOrdered = config.dynamic_batching?.preserve_ordering ?? false;
    return new ModelCache({ store: this.#store, scope, tensors, statistics, isOrdered, clock: this.#clock });
  }
}

/** A step gives one answer, and the same to the same inputs as far as that is known: an ensemble with any other is executed each time. */
function answersAlike({ config, isDecoupled, steps }: ServedModel): boolean {
  return config.sequence_batching === undefined && !isDecoupled && steps.every(answersAlike);
}
