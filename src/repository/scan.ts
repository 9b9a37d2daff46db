import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { invalid, ServerError } from '../types/errors.js';
import { mapBounded } from './bounded.js';
import { foldersIn, modifiedMs } from './folder.js';

/** A version folder: its number is its name. */
export interface VersionEntry {
  readonly version: number;
  readonly directory: string;
  /** Names of the files and folders in it, sorted. */
  readonly entries: readonly string[];
}

/** A model's folder as it was found; nothing in it has been understood yet. Paths are absolute. */
export interface ModelEntry {
  readonly name: string;
  readonly directory: string;
  readonly repository: string;
  /** '' = the model has none. */
  readonly configFile: string;
  readonly configText: string;
  /** Ascending. */
  readonly versions: readonly VersionEntry[];
  /** When anything in the folder changed last; milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Why it cannot be used, '' = it can: unreadable, or its name is in two repositories. */
  readonly problem: string;
  /** What was passed over, for the log. */
  readonly notes: readonly string[];
}

/** All models of all repositories at one moment, by name. */
export type Snapshot = ReadonlyMap<string, ModelEntry>;

export const TWICE = 'model appears in two or more repositories';

/** Models looked at at a time: each has a few files open. */
const PARALLEL_MODELS = 32;

/**
 * Looks at repositories: each folder is a model, each folder in it with a number that does not begin with 0 is a version.
 * @param configName `--model-config-name`: `configs/NAME.pbtxt` comes before `config.pbtxt`; '' = none
 * @throws INVALID_ARGUMENT for a repository that is no folder; a model that cannot be read has a `problem` instead
 */
export async function scanRepositories(repositories: readonly string[], configName: string): Promise<Snapshot> {
  const models = new Map<string, ModelEntry>();
  for (const repository of new Set(repositories.map((path) => resolve(path)))) {
    for (const entry of await scanRepository(repository, configName)) {
      const other = models.get(entry.name);
      models.set(entry.name, other === undefined ? entry : { ...other, problem: TWICE });
    }
  }
  return models;
}

async function scanRepository(repository: string, configName: string): Promise<ModelEntry[]> {
  const names = await foldersIn(repository).catch((error: NodeJS.ErrnoException) => {
    throw invalid(
      `--model-repository: expected a folder of models, but ${repository} cannot be read (${error.code}: ${reasonOf(error)})`,
    );
  });
  return mapBounded(names, PARALLEL_MODELS, (name) => scanModel(repository, name, configName));
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'it does not exist';
  return error.code === 'ENOTDIR' ? 'it is a file' : error.message;
}

/** Never rejects. */
async function scanModel(repository: string, name: string, configName: string): Promise<ModelEntry> {
  const directory = join(repository, name);
  const found = {
    name,
    directory,
    repository,
    configFile: '',
    configText: '',
    versions: [],
    modifiedMs: 0,
    problem: '',
    notes: [],
  };
  try {
    return { ...found, ...(await readConfig(directory, configName)), ...(await readVersions(name, directory)) };
  } catch (error) {
    const text = `the folder of model '${name}' cannot be read: ${(error as Error).message}`;
    return { ...found, problem: new ServerError('INTERNAL', text).toString() };
  }
}

async function readVersions(
  name: string,
  directory: string,
): Promise<Pick<ModelEntry, 'versions' | 'modifiedMs' | 'notes'>> {
  const numbered = (await foldersIn(directory)).filter((folder) => /^[1-9][0-9]*$/.test(folder));
  const isExact = (folder: string) => Number.isSafeInteger(Number(folder));
  const numbers = numbered.filter(isExact).map(Number);
  numbers.sort((a, b) => a - b);
  const notes = numbered
    .filter((folder) => !isExact(folder))
    .map((folder) => `model '${name}': version folder ${folder} is ignored, versions go up to 2^53 - 1`);
  const versions = await Promise.all(numbers.map((version) => readVersion(directory, version)));
  return { versions, modifiedMs: await modifiedMs(directory), notes };
}

async function readVersion(model: string, version: number): Promise<VersionEntry> {
  const directory = join(model, String(version));
  return { version, directory, entries: (await readdir(directory)).sort() };
}

async function readConfig(
  directory: string,
  configName: string,
): Promise<Pick<ModelEntry, 'configFile' | 'configText'>> {
  const candidates = configName === '' ? [] : [join(directory, 'configs', `${configName}.pbtxt`)];
  for (const configFile of [...candidates, join(directory, 'config.pbtxt')]) {
    try {
      return { configFile, configText: await readFile(configFile, 'utf8') };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }
  return { configFile: '', configText: '' };
}
