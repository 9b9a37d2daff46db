import type { ResourceLimits } from 'node:worker_threads';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';

const DEFAULT_INITIALIZE_SECS = 300;
const DEFAULT_FINALIZE_SECS = 10;

/** The `parameters` of a configuration: those that the backend reads, and all as texts for the model's own code. */
export class JavaScriptParameters {
  readonly texts: Readonly<Record<string, string>>;
  /** Of the memory of each instance's thread; what is not given is Node's to decide. */
  readonly limits: ResourceLimits;
  readonly initializeTimeoutMs: number;
  readonly finalizeTimeoutMs: number;
  readonly #model: string;

  /** Throws INVALID_ARGUMENT that names the parameter, what it may be and what it is. */
  constructor({ name, parameters }: ModelConfig) {
    this.#model = name;
    this.texts = Object.fromEntries(Object.entries(parameters).map(([key, { string_value }]) => [key, string_value]));
    const old = this.#count('max_old_generation_mb');
    const young = this.#count('max_young_generation_mb');
    const stack = this.#count('stack_mb');
    this.limits = {
      ...(old > 0 && { maxOldGenerationSizeMb: old }),
      ...(young > 0 && { maxYoungGenerationSizeMb: young }),
      ...(stack > 0 && { stackSizeMb: stack }),
    };
    this.initializeTimeoutMs = 1000 * (this.#count('initialize_timeout_secs') || DEFAULT_INITIALIZE_SECS);
    this.finalizeTimeoutMs = 1000 * (this.#count('finalize_timeout_secs') || DEFAULT_FINALIZE_SECS);
  }

  /** 0 = it is not given. */
  #count(key: string): number {
    const text = this.texts[key];
    if (text === undefined) return 0;
    if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
    throw invalid(`parameter '${key}' of model '${this.#model}': expected a whole number from 1 on, found '${text}'`);
  }
}
