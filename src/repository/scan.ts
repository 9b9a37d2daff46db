import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { invalid } from '../types/errors.js';

/** A version folder: its number is its name. */
export interface VersionEntry {
  readonly version: number;
  readonly directory: string;
  /** Names of the files and folders in it, sorted. */
  readonly entries: readonly string[];
}

/** A model's folder as it was found; nothing in it has been understood yet. */
export interface ModelEntry {
  readonly name: string;
  readonly directory: string;
  /** Path of the configuration; '' = the model has none. */
  readonly configFile: string;
  readonly configText: string;
  /** Ascending. */
  readonly versions: readonly VersionEntry[];
  /** Why it cannot be used, '' = it can: unreadable, or its name is in two repositories. */
  readonly problem: string;
}

/** All models of all repositories at one moment, by name. */
export type Snapshot = ReadonlyMap<string, ModelEntry>;

export const TWICE = 'model appears in two or more repositories';

/**
 * Looks at repositories: each folder is a model, each folder in it with a number that does not begin with 0 is a version.
 * @param configName `--model-config-name`: `configs/NAME.pbtxt` comes before `config.pbtxt`; '' = none
 * @throws INVALID_ARGUMENT for a repository that is no folder; a model that cannot be read has a `problem` instead
 */
export async function scanRepositories(repositories: readonly string[], configName: string): Promise<Snapshot> {
  const models = new Map<string, ModelEntry>();
  for (const repository of repositories) {
    for (const entry of await scanRepository(resolve(repository), configName)) {
      const other = models.get(entry.name);
      models.set(entry.name, other === undefined ? entry : { ...other, problem: TWICE });
    }
  }
  return models;
}

async function scanRepository(repository: string, configName: string): Promise<ModelEntry[]> {
  const folders = await foldersIn(repository).catch((error: NodeJS.ErrnoException) => {
    throw invalid(
      `--model-repository: expected a folder of models, but ${repository} cannot be read (${error.code}: ${reasonOf(error)})`,
    );
  });
  return Promise.all(folders.map((name) => scanModel(name, join(repository, name), configName)));
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'it does not exist';
  return error.code === 'ENOTDIR' ? 'it is a file' : error.message;
}

async function scanModel(name: string, directory: string, configName: string): Promise<ModelEntry> {
  const empty: ModelEntry = { name, directory, configFile: '', configText: '', versions: [], problem: '' };
  try {
    const numbers = (await foldersIn(directory)).filter((folder) => /^[1-9][0-9]*$/.test(folder)).map(Number);
    const versions = numbers.filter(Number.isSafeInteger).sort((a, b) => a - b);
    return {
      ...empty,
      ...(await readConfig(directory, configName)),
      versions: await Promise.all(versions.map((version) => scanVersion(directory, version))),
    };
  } catch (error) {
    return { ...empty, problem: `the model's folder cannot be read: ${(error as Error).message}` };
  }
}

async function scanVersion(model: string, version: number): Promise<VersionEntry> {
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
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return { configFile: '', configText: '' };
}

/** Names of folders, links to folders included, sorted. */
async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const folders = await Promise.all(entries.map(async (entry) => ((await isFolder(path, entry)) ? entry.name : '')));
  return folders.filter((name) => name !== '' && !name.startsWith('.')).sort();
}

async function isFolder(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(join(path, entry.name)).catch(() => null);
  return target?.isDirectory() ?? false;
}
