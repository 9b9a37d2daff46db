import type { ModelConfig } from '../config/model-config.js';

/** A version of a model in its repository, its configuration normalised and valid as far as it goes. */
export interface ModelVersionSource {
  readonly name: string;
  readonly version: number;
  /** Absolute paths of the model and of the version in it. */
  readonly directory: string;
  readonly versionDirectory: string;
  readonly config: ModelConfig;
}
