import { completeConfig } from '../config/complete.js';
import { idleFields } from '../config/idle-fields.js';
import type { ModelConfig } from '../config/model-config.js';
import { type Machine, normalizeConfig } from '../config/normalize.js';
import { parseModelConfig } from '../config/pbtxt.js';
import { validateConfig } from '../config/validate.js';
import { asServerError, invalid, ServerError } from '../types/errors.js';
import type { WantedModel } from './model-record.js';
import { type ModelEntry, TWICE, type VersionEntry } from './scan.js';
import { noVersionText, wantedVersions } from './version-policy.js';

export interface UnderstandSettings {
  readonly machine: Machine;
  /** False = the configuration must be there and complete. */
  readonly autoComplete: boolean;
}

/** A model's folder, understood: what should be served of it, and how. */
export interface UnderstoodModel {
  readonly entry: ModelEntry;
  readonly wanted: WantedModel;
  /** Null where `wanted.problem` says why. */
  readonly config: ModelConfig | null;
  /** For the log. */
  readonly notes: readonly string[];
}

/** Reads a model's configuration and decides which versions are wanted. Never throws: what is wrong is the model's problem. */
export function understandModel(entry: ModelEntry, settings: UnderstandSettings): UnderstoodModel {
  if (entry.problem !== '') return refuse(entry, entry.problem, entry.problem === TWICE);
  let config: ModelConfig;
  try {
    config = readConfig(entry, settings);
  } catch (error) {
    return refuse(entry, asServerError(error).toString(), false);
  }
  const available = entry.versions.map((version) => version.version);
  const { versions, missing } = wantedVersions(available, config.version_policy);
  if (versions.length === 0) return refuse(entry, invalid(noVersionText(entry.name)).toString(), true);
  const absent = missing.map(
    (version) => `model '${entry.name}' has no version ${version}, which its version policy names`,
  );
  return {
    entry,
    wanted: { name: entry.name, problem: '', blocksReadiness: false, versions },
    config,
    notes: [...entry.notes, ...absent, ...idleFields(config)],
  };
}

function readConfig(entry: ModelEntry, { machine, autoComplete }: UnderstandSettings): ModelConfig {
  if (entry.configFile === '' && !autoComplete) {
    throw new ServerError(
      'NOT_FOUND',
      `model configuration is not provided for model '${entry.name}'; write ${entry.directory}/config.pbtxt, or start without --disable-auto-complete-config`,
    );
  }
  const written = parseModelConfig(entry.configText, entry.configFile);
  const config = normalizeConfig(
    completeConfig(written, entry.name, firstByName(entry.versions)?.entries ?? []),
    machine,
  );
  validateConfig(config, machine, !autoComplete);
  return config;
}

function refuse(entry: ModelEntry, problem: string, blocksReadiness: boolean): UnderstoodModel {
  return {
    entry,
    wanted: { name: entry.name, problem, blocksReadiness, versions: [] },
    config: null,
    notes: entry.notes,
  };
}

/** Completion looks at one version: Triton takes the first by name, not by number. */
function firstByName(versions: readonly VersionEntry[]): VersionEntry | undefined {
  return [...versions].sort((a, b) => (String(a.version) < String(b.version) ? -1 : 1))[0];
}
