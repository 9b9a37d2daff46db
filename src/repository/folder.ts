import type { Dirent, Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from './bounded.js';

const PARALLEL_STATS = 16;
/** Folders within folders; deeper ones are passed over. */
const DEEPEST = 32;

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

/** A file as it was found: two that are equal are the same file with, as far as can be told without reading it, the same content. */
export interface FileStamp {
  /** Relative to the folder that was looked at, with `/` between. */
  readonly path: string;
  /** Size, time of content, and which file it is. */
  readonly stamp: string;
  /** Later one of the times of content and of attributes: a file that is moved or copied in with its time is new by the second. */
  readonly changedMs: number;
}

/**
 * All files in a folder, sorted by path. Links are followed; names with a dot in front are passed over (Kubernetes keeps what it links to
 * in such folders), and so is what cannot be looked at.
 */
export async function stampFiles(folder: string): Promise<FileStamp[]> {
  const found: FileStamp[] = [];
  await walk(folder, '', [await realpath(folder)], found);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @param above real paths of the folders we are in: a link to one of them leads nowhere new */
async function walk(folder: string, prefix: string, above: readonly string[], found: FileStamp[]): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.'));
  await mapBounded(names, PARALLEL_STATS, async (name) => {
    const path = join(folder, name);
    const info = await stat(path).catch(() => null);
    if (info?.isFile()) found.push({ path: prefix + name, stamp: stampOf(info), changedMs: newest(info) });
    if (!info?.isDirectory() || above.length > DEEPEST) return;
    const real = await realpath(path).catch(() => '');
    if (real !== '' && !above.includes(real)) await walk(path, `${prefix}${name}/`, [...above, real], found);
  });
}

function stampOf({ size, mtimeMs, ino }: Stats): string {
  return `${size} ${mtimeMs} ${ino}`;
}

function newest({ mtimeMs, ctimeMs }: Stats): number {
  return Math.max(mtimeMs, ctimeMs);
}
