import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { invalid, ServerError } from '../types/errors.js';
import { mapBounded } from './bounded.js';
import { type FileStamp, foldersIn, stampFiles } from './folder.js';

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
  /** What its name begins with where other repositories have a model of the same; '' = names never do. */
  readonly namespace: string;
  /** Name of its folder, which its configuration has too: `name` without a namespace. */
  readonly folder: string;
  readonly directory: string;
  readonly repository: string;
  /** '' = the model has none. */
  readonly configFile: string;
  readonly configText: string;
  /** Ascending. */
  readonly versions: readonly VersionEntry[];
  /** Sorted by path. */
  readonly files: readonly FileStamp[];
  /** Why it cannot be used, '' = it can: unreadable, or its name is in two repositories. */
  readonly problem: string;
  /** What was passed over, for the log. */
  readonly notes: readonly string[];
  /** Made for one load: see `overrides.ts`. */
  readonly isTemporary: boolean;
}

/** All models of all repositories at one moment, by name. */
export type Snapshot = ReadonlyMap<string, ModelEntry>;

export const TWICE = 'model appears in two or more repositories';

/** Models looked at at a time: each has a few files open. */
const PARALLEL_MODELS = 32;

/** When anything of it was put there last; milliseconds since 1970, 0 = it has no files. */
export function changedMs(entry: ModelEntry): number {
  return entry.files.reduce((newest, file) => Math.max(newest, file.changedMs), 0);
}

export interface ScanSettings {
  /** Folders of models, as given. */
  readonly repositories: readonly string[];
  /** `--model-config-name`: `configs/NAME.pbtxt` comes before `config.pbtxt`; '' = none. */
  readonly configName: string;
  /** `--model-namespacing`: models of one name in several repositories are called `REPOSITORY::NAME`; false = there are none. */
  readonly namespacing: boolean;
}

/**
 * Looks at repositories: each folder is a model, each folder in it with a number that does not begin with 0 is a version. Throws
 * INVALID_ARGUMENT for a repository that is no folder; a model that cannot be read has a `problem` instead.
 * @param only names of models that are looked at; null = all
 */
export function scanRepositories(settings: ScanSettings, only: readonly string[] | null = null): Promise<Snapshot> {
  return scanFolders(settings, modelNames, only);
}

/** The same for the one model of this name; null = no repository has it. Never rejects. */
export async function scanOneModel(name: string, settings: ScanSettings): Promise<ModelEntry | null> {
  return (await scanNamesakes(name, settings)).get(name) ?? null;
}

/** The models of this name in all repositories, as they are called. Never rejects. */
export function scanNamesakes(name: string, settings: ScanSettings): Promise<Snapshot> {
  return scanFolders(settings, readableNames, [name]);
}

/** Names of all models in all repositories, whatever is in their folders. Never rejects: what cannot be read has none. */
export async function scanNames(settings: ScanSettings): Promise<string[]> {
  const found: { name: string; repository: string }[] = [];
  for (const repository of roots(settings)) {
    found.push(...(await readableNames(repository)).map((name) => ({ name, repository })));
  }
  return [...byName(found, settings).keys()];
}

async function scanFolders(
  settings: ScanSettings,
  namesIn: (repository: string) => Promise<string[]>,
  only: readonly string[] | null,
): Promise<Snapshot> {
  const folders = only === null ? null : new Set(only.map((name) => folderOf(name, settings)));
  const found: ModelEntry[] = [];
  for (const repository of roots(settings)) {
    const names = (await namesIn(repository)).filter((name) => folders?.has(name) ?? true);
    const namespace = settings.namespacing ? namespaceOf(repository, settings) : '';
    const entries = await mapBounded(names, PARALLEL_MODELS, (name) =>
      scanModel(repository, name, settings.configName),
    );
    found.push(...entries.map((entry) => ({ ...entry, namespace })));
  }
  return byName(found, settings);
}

function roots({ repositories }: ScanSettings): string[] {
  return [...new Set(repositories.map((path) => resolve(path)))];
}

/** Gives models of one name in several repositories names of their own, or the problem that they are that. */
function byName<E extends { readonly name: string; readonly repository: string }>(
  found: readonly E[],
  settings: ScanSettings,
): Map<string, E> {
  const models = new Map<string, E>();
  const seen = new Set<string>();
  const isTwice = new Set<string>();
  for (const { name } of found) (seen.has(name) ? isTwice : seen).add(name);
  for (const entry of found) {
    if (!isTwice.has(entry.name)) models.set(entry.name, entry);
    else if (!settings.namespacing) models.set(entry.name, { ...entry, problem: TWICE });
    else {
      const name = `${namespaceOf(entry.repository, settings)}${NAMESPACE_MARK}${entry.name}`;
      models.set(name, { ...entry, name });
    }
  }
  return models;
}

/** Name of the folder of a model with this name. */
export function folderOf(name: string, { namespacing }: ScanSettings): string {
  const mark = namespacing ? name.lastIndexOf(NAMESPACE_MARK) : -1;
  return mark < 0 ? name : name.slice(mark + NAMESPACE_MARK.length);
}

/** What comes between the name of a repository and that of a model in it. */
export const NAMESPACE_MARK = '::';

/** The last part of a repository's path, or all of it where others end in the same. */
function namespaceOf(repository: string, settings: ScanSettings): string {
  const last = basename(repository);
  return roots(settings).filter((root) => basename(root) === last).length === 1 ? last : repository;
}

async function modelNames(repository: string): Promise<string[]> {
  return foldersIn(repository).catch((error: NodeJS.ErrnoException) => {
    throw invalid(
      `--model-repository: expected a folder of models, but ${repository} cannot be read (${error.code}: ${reasonOf(error)})`,
    );
  });
}

function readableNames(repository: string): Promise<string[]> {
  return foldersIn(repository).catch(() => []);
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'it does not exist';
  return error.code === 'ENOTDIR' ? 'it is a file' : error.message;
}

/** One model of a repository. Never rejects. */
export async function scanModel(repository: string, name: string, configName: string): Promise<ModelEntry> {
  const link = join(repository, name);
  // Where the folder is a link, a model is what it leads to now: whoever exchanges it later does not change what is loaded already.
  const directory = await readlink(link).then(
    () => realpath(link),
    () => link,
  );
  const found = {
    name,
    namespace: '',
    folder: name,
    directory,
    repository,
    configFile: '',
    configText: '',
    versions: [],
    files: [],
    problem: '',
    notes: [],
    isTemporary: false,
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
): Promise<Pick<ModelEntry, 'versions' | 'files' | 'notes'>> {
  const numbered = (await foldersIn(directory)).filter((folder) => /^[1-9][0-9]*$/.test(folder));
  const isExact = (folder: string) => Number.isSafeInteger(Number(folder));
  const numbers = numbered.filter(isExact).map(Number);
  numbers.sort((a, b) => a - b);
  const notes = numbered
    .filter((folder) => !isExact(folder))
    .map((folder) => `model '${name}': version folder ${folder} is ignored, versions go up to 2^53 - 1`);
  const versions = await Promise.all(numbers.map((version) => readVersion(directory, version)));
  return { versions, files: await stampFiles(directory), notes };
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
