import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from './bounded.js';

const PARALLEL_STATS = 16;

/** Names of the folders in a folder, links to folders included, sorted. Those with a dot in front are somebody's bookkeeping. */
export async function foldersIn(path: string): Promise<string[]> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const are = await mapBounded(entries, PARALLEL_STATS, (entry) => isFolder(path, entry));
  return entries
    .filter((_, i) => are[i])
    .map(({ name }) => name)
    .sort();
}

async function isFolder(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(join(path, entry.name)).catch(() => null);
  return target?.isDirectory() ?? false;
}

/**
 * When anything in a folder changed last, as Triton counts it (fact sheet 10.3): the newest time of content or of attributes in the
 * tree, in milliseconds since 1970. Links are followed, folders behind them not walked; what cannot be looked at is passed over.
 */
export async function modifiedMs(path: string): Promise<number> {
  const inside = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const paths = [path, ...inside.map((entry) => join(entry.parentPath, entry.name))];
  const times = await mapBounded(paths, PARALLEL_STATS, changedMs);
  return times.reduce((newest, time) => Math.max(newest, time), 0);
}

/** 0 = cannot be told. */
async function changedMs(path: string): Promise<number> {
  const info = await stat(path).catch(() => null);
  return info === null ? 0 : Math.max(info.mtimeMs, info.ctimeMs);
}
