import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from '../config/model-config.js';
import { foldersIn } from '../repository/folder.js';
import type { ModelEntry } from '../repository/scan.js';
import type { ModelFiles } from './subject.js';

/** Looks at what lies in a model's folder, as far as rules ask for it. Weights are not read. */
export async function lookAround(entry: ModelEntry, config: ModelConfig): Promise<ModelFiles> {
  const names = await foldersIn(entry.directory).catch((): string[] => []);
  const folders = await Promise.all(
    names.map(async (name) => ({ name, entries: await readdir(join(entry.directory, name)).catch(() => []) })),
  );
  const all = await readdir(entry.directory).catch((): string[] => []);
  const labels = config.output.map(({ label_filename }) => label_filename).filter((name) => name !== '');
  return {
    folders,
    files: all.filter((name) => !names.includes(name) && !name.startsWith('.')).sort(),
    labels: new Map(await Promise.all(labels.map(async (name) => [name, await textOf(entry, name)] as const))),
    sizes: new Map(
      await Promise.all(namedFiles(config).map(async (name) => [name, await bytesOf(entry, name)] as const)),
    ),
  };
}

function namedFiles(config: ModelConfig): string[] {
  const states = config.sequence_batching?.state.flatMap(({ initial_state }) => initial_state) ?? [];
  const samples = config.model_warmup.flatMap(({ inputs }) => Object.values(inputs));
  return [
    ...states.flatMap(({ data_file }) => (data_file === undefined ? [] : [`initial_state/${data_file}`])),
    ...samples.flatMap(({ input_data_file: file }) => (file === undefined ? [] : [`warmup/${file}`])),
  ];
}

function textOf({ directory }: ModelEntry, name: string): Promise<string | null> {
  return readFile(join(directory, name), 'utf8').catch(() => null);
}

async function bytesOf({ directory }: ModelEntry, name: string): Promise<number | null> {
  const info = await stat(join(directory, name)).catch(() => null);
  return info?.isFile() ? info.size : null;
}
