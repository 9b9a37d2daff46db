import { createHash } from 'node:crypto';
import { modelConfigToJson } from '../config/config-json.js';
import type { ModelConfig } from '../config/model-config.js';
import type { FileStamp } from './folder.js';
import type { ModelEntry } from './scan.js';

/** What a loaded version was made of. Where nothing differs, it is as wanted. */
export interface VersionStamps {
  /** Everything that is read when a version is loaded: the version has to be loaded anew where it differs. */
  readonly files: string;
  /** The configuration and the labels: some of it can be changed while the version serves. */
  readonly settings: string;
}

/**
 * What `version` of a model is made of: the files of its folder and those of the model's that belong to no version. Not the files of
 * warm-up: they are read once, before the version serves.
 */
export function stampsOf(entry: ModelEntry, config: ModelConfig, version: number): VersionStamps {
  const labels = new Set(config.output.map((output) => output.label_filename));
  const read: FileStamp[] = [];
  const settings: FileStamp[] = [];
  for (const file of entry.files) {
    if (labels.has(file.path)) settings.push(file);
    else if (isRead(file.path, version)) read.push(file);
  }
  return {
    files: digest([entry.directory, ...texts(read)]),
    settings: digest([modelConfigToJson(config), ...texts(settings)]),
  };
}

/** All files of a model together, and which configuration it has: for whoever asks whether anything happened. */
export function stampOfEntry(entry: ModelEntry): string {
  return digest([entry.problem, entry.configFile, entry.configText, ...texts(entry.files)]);
}

const ownFolders = new Set(['configs', 'warmup']);

/** A file of a model, by its path in the model's folder, is read when this version is loaded. */
export function isRead(path: string, version: number): boolean {
  const slash = path.indexOf('/');
  if (slash < 0) return path !== 'config.pbtxt';
  const folder = path.slice(0, slash);
  if (/^[1-9][0-9]*$/.test(folder)) return folder === String(version);
  return !ownFolders.has(folder);
}

function texts(files: readonly FileStamp[]): string[] {
  return files.map(({ path, stamp }) => `${path} ${stamp}`);
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('base64');
}
