import { completeConfig } from '../config/complete.js';
import { type FieldUses, idleFields } from '../config/idle-fields.js';
import type { ModelConfig } from '../config/model-config.js';
import { type Machine, normalizeConfig } from '../config/normalize.js';
import { parseModelConfig } from '../config/pbtxt.js';
import { validateConfig } from '../config/validate.js';
import { asServerError, invalid, ServerError } from '../types/errors.js';
import { type Dependent, stepsOf } from './dependencies.js';
import { type ModelEntry, TWICE, type VersionEntry } from './scan.js';
import { stampsOf, type VersionStamps } from './stamps.js';
import { noVersionText, wantedVersions } from './version-policy.js';

export interface UnderstandSettings {
  readonly machine: Machine;
  /** False = the configuration must be there and complete. */
  readonly autoComplete: boolean;
  /** Absent = fields count as those of a server with the default flags. */
  readonly uses?: FieldUses;
}

const NO_USES: FieldUses = { limitsRate: false };

/** A version that should be served, and what it is made of. */
export interface WantedVersion extends VersionStamps {
  readonly version: number;
  /** Absolute. */
  readonly directory: string;
}

/** What should be served of one model. */
export interface WantedModel extends Dependent {
  /** Absolute. */
  readonly directory: string;
  /** Where its configuration was read; null = it came with a load request. */
  readonly source: ModelEntry | null;
  /** Why nothing of it can be loaded, '' = it can. */
  readonly problem: string;
  /** The problem keeps the server from being ready. A configuration that was never understood does not (fact sheet 10.1). */
  readonly blocksReadiness: boolean;
  /** Normalised, not yet completed by a backend; null where there is a problem. */
  readonly config: ModelConfig | null;
  /** Ascending. */
  readonly versions: readonly WantedVersion[];
  /** For the log. */
  readonly notes: readonly string[];
  /** Its folder was made for this load (`file:` overrides), and goes when nothing of it is loaded any more. */
  readonly isTemporary: boolean;
}

/**
 * Reads a model's configuration and decides which versions are wanted. Never throws: what is wrong is the model's problem.
 * @param override a configuration that is taken instead of the folder's; null = none
 */
export function understandModel(
  entry: ModelEntry,
  settings: UnderstandSettings,
  override: ModelConfig | null = null,
): WantedModel {
  if (entry.problem !== '') return refuse(entry, entry.problem, entry.problem === TWICE);
  let config: ModelConfig;
  try {
    config = readConfig(entry, settings, override);
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
    name: entry.name,
    namespace: entry.namespace,
    steps: stepsOf(config),
    directory: entry.directory,
    source: override === null ? entry : null,
    problem: '',
    blocksReadiness: false,
    config,
    versions: versions.map((version) => wantedVersion(entry, config, version)),
    notes: [...entry.notes, ...absent, ...idleFields(config, settings.uses ?? NO_USES)],
    isTemporary: entry.isTemporary,
  };
}

function wantedVersion(entry: ModelEntry, config: ModelConfig, version: number): WantedVersion {
  const { directory } = entry.versions.find((candidate) => candidate.version === version)!;
  return { version, directory, ...stampsOf(entry, config, version) };
}

function readConfig(
  entry: ModelEntry,
  { machine, autoComplete }: UnderstandSettings,
  override: ModelConfig | null,
): ModelConfig {
  if (override === null && entry.configFile === '' && !autoComplete) {
    throw new ServerError(
      'NOT_FOUND',
      `model configuration is not provided for model '${entry.name}'; write ${entry.directory}/config.pbtxt, or start without --disable-auto-complete-config`,
    );
  }
  const written = override ?? parseModelConfig(entry.configText, entry.configFile);
  const config = normalizeConfig(
    completeConfig(written, entry.folder, firstByName(entry.versions)?.entries ?? []),
    machine,
  );
  validateConfig(config, machine, !autoComplete);
  return config;
}

function refuse(entry: ModelEntry, problem: string, blocksReadiness: boolean): WantedModel {
  const { name, namespace, directory, notes, isTemporary } = entry;
  return {
    name,
    namespace,
    steps: [],
    directory,
    source: null,
    problem,
    blocksReadiness,
    config: null,
    versions: [],
    notes,
    isTemporary,
  };
}

/** Completion looks at one version: Triton takes the first by name, not by number. */
export function firstByName(versions: readonly VersionEntry[]): VersionEntry | undefined {
  return [...versions].sort((a, b) => (String(a.version) < String(b.version) ? -1 : 1))[0];
}
