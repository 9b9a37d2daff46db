import { readOnnxSignature } from '../backends/onnx-file.js';
import { modelPath } from '../backends/onnxruntime.js';
import { checkComposing } from '../config/check-composing.js';
import type { ModelConfig } from '../config/model-config.js';
import { isEnsemble } from '../config/normalize.js';
import { parseModelConfig } from '../config/pbtxt.js';
import { closesCircle, type Step, stepsOf } from '../repository/dependencies.js';
import type { ModelEntry } from '../repository/scan.js';
import { wantedVersions } from '../repository/version-policy.js';
import { invalid } from '../types/errors.js';
import { takeSteps } from './effective.js';
import type { CheckSettings } from './settings.js';

/** A model of the same repositories, as an ensemble sees it. */
export interface Neighbour {
  /** The versions that would be loaded, ascending, as they would be served; null = that cannot be told, and is said of the model itself. */
  readonly versions: ReadonlyMap<number, ModelConfig | null>;
  /** The model with which a circle closes that leads back from this one to the ensemble; null = none does. */
  readonly closesCircle: string | null;
}

export type Neighbours = ReadonlyMap<string, Neighbour>;

/** All models of some repositories, by name, for ensembles that need each other's. Reads what is asked for, when it is asked for. */
export class Neighbourhood {
  readonly #entries: Map<string, ModelEntry>;
  readonly #settings: CheckSettings;

  constructor(entries: readonly ModelEntry[], settings: CheckSettings) {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.#settings = settings;
  }

  /** The configuration of a model is another. */
  changed(entry: ModelEntry): void {
    this.#entries.set(entry.name, entry);
  }

  /** The models that are there of those that a configuration has as steps. Never rejects. */
  async around(config: ModelConfig): Promise<Neighbours> {
    const names = [...new Set(stepsOf(config).map(({ name }) => name))].filter((name) => this.#entries.has(name));
    const neighbours = names.map(async (name): Promise<[string, Neighbour]> => {
      const needs = (other: string) => (other === config.name ? [name] : this.#needs(other));
      const versions = await this.#versions(name, [config.name]);
      return [name, { versions, closesCircle: closesCircle(config.name, needs) }];
    });
    return new Map(await Promise.all(neighbours));
  }

  #needs(name: string): string[] {
    const config = this.#read(name);
    return config === null ? [] : stepsOf(config).map((step) => step.name);
  }

  /** Null = there is none, or it cannot be read. */
  #read(name: string): ModelConfig | null {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.problem !== '') return null;
    try {
      return { ...parseModelConfig(entry.configText, entry.configFile), name };
    } catch {
      return null;
    }
  }

  /** @param above ensembles that ask for it: a circle ends here */
  async #versions(name: string, above: readonly string[]): Promise<Map<number, ModelConfig | null>> {
    const written = this.#read(name);
    if (written === null || above.includes(name)) return new Map([[0, null]]);
    const entry = this.#entries.get(name)!;
    const available = entry.versions.map(({ version }) => version);
    const versions = new Map<number, ModelConfig | null>();
    for (const version of wantedVersions(available, written.version_policy).versions) {
      versions.set(version, await this.#effective(entry, written, version, above).catch(() => null));
    }
    return versions;
  }

  async #effective(
    entry: ModelEntry,
    written: ModelConfig,
    version: number,
    above: readonly string[],
  ): Promise<ModelConfig | null> {
    const { normalized } = takeSteps(written, entry, null, this.#settings);
    if (isEnsemble(normalized)) return this.#composed(normalized, [...above, entry.name]);
    if (normalized.backend !== 'onnxruntime') return isWhole(normalized) ? normalized : null;
    const { directory } = entry.versions.find((candidate) => candidate.version === version)!;
    const path = await modelPath({ name: entry.name, versionDirectory: directory, config: normalized });
    return takeSteps(written, entry, await readOnnxSignature(path), this.#settings).effective;
  }

  async #composed(config: ModelConfig, above: readonly string[]): Promise<ModelConfig | null> {
    const models: ModelConfig[] = [];
    for (const step of stepsOf(config)) {
      const model = ofVersion(await this.#versions(step.name, above), step) ?? null;
      if (model === null) return null;
      models.push(model);
    }
    return checkComposing(config, models);
  }
}

/** Models of other backends may say at their load what they leave out. */
function isWhole({ input, output }: ModelConfig): boolean {
  return input.length > 0 && output.length > 0;
}

/** Undefined = it would not be loaded. */
function ofVersion<C>(versions: ReadonlyMap<number, C>, { version }: Step): C | undefined {
  return version === -1 ? [...versions.values()].at(-1) : versions.get(version);
}

/**
 * What the server says against an ensemble when all that can be loaded of its neighbours is. Throws INVALID_ARGUMENT. What is wrong with a
 * neighbour is not said here.
 */
export function checkSteps(config: ModelConfig, neighbours: Neighbours): void {
  const steps = stepsOf(config);
  const circle = steps.find(({ name }) => (neighbours.get(name)?.closesCircle ?? null) !== null);
  if (circle !== undefined) {
    const closing = neighbours.get(circle.name)!.closesCircle!;
    throw invalid(`circular dependency between ensembles: ${config.name} -> ... -> ${closing} -> ${config.name}`);
  }
  const missing = steps.map(({ name }) => name).filter((name) => !neighbours.has(name));
  if (missing.length > 0) {
    const names = [...new Set(missing)].join(', ');
    throw invalid(`ensemble ${config.name} contains models that are not available or ambiguous: ${names}`);
  }
  const models = steps.map((step) => modelOf(config, step, neighbours.get(step.name)!));
  if (models.every((model) => model !== null)) checkComposing(config, models);
}

function modelOf(config: ModelConfig, step: Step, { versions }: Neighbour): ModelConfig | null {
  const isUnknown = versions.size === 0 || versions.has(0);
  const model = ofVersion(versions, step);
  if (isUnknown || model !== undefined) return model ?? null;
  throw invalid(
    `ensemble '${config.name}' depends on '${step.name}' whose required version ${step.version} is not loaded.`,
  );
}
