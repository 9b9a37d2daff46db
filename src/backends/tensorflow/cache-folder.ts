import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type CachedFile, evictable, LEASE_MS } from './cache-plan.js';

/** Says that a file is used: its time of modification is when that was said last. False = it is not there. */
export function markUsed(path: string): boolean {
  try {
    const now = new Date();
    utimesSync(path, now, now);
    return true;
  } catch {
    // Where nothing can be written, nothing can be deleted either.
    return existsSync(path);
  }
}

/** Complete or not at all, also after a crash, and for nobody else to change: models are programs. */
export function writeCached(folder: string, path: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.${randomUUID()}`);
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Deletes what `evictable` says. Several servers may do so at once. Throws what the file system says, but not of what others deleted. */
export function trimCache(folder: string, maxBytes: number): void {
  const names = readdirSync(folder);
  const files = names.map((name) => fileOf(folder, name)).filter((file) => file !== null);
  for (const name of evictable(files, maxBytes, Date.now())) evict(folder, name);
}

/** Out of reach first, so that one that somebody says to use meanwhile can be put back. */
function evict(folder: string, name: string): void {
  const [path, aside] = [join(folder, name), join(folder, `.${randomUUID()}`)];
  try {
    renameSync(path, aside);
    if (Date.now() - statSync(aside).mtimeMs > LEASE_MS) rmSync(aside, { force: true });
    else renameSync(aside, path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** Null = another has deleted it. */
function fileOf(folder: string, name: string): CachedFile | null {
  const stats = statSync(join(folder, name), { throwIfNoEntry: false });
  return stats === undefined ? null : { name, bytes: stats.size, usedMs: stats.mtimeMs };
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
