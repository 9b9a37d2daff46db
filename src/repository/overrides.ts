import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { invalid } from '../types/errors.js';
import { type ModelEntry, scanModel } from './scan.js';

/** What a load request brings along instead of what is in the repository (fact sheet 1.5). */
export interface LoadOverrides {
  /** The whole configuration as JSON; null = that of the repository. */
  readonly config: string | null;
  /** Contents by path in the model's folder; none = those of the repository. They need `config`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const MOST_FILES = 4096;
const LONGEST_PATH = 1024;

/**
 * Writes the files of a load request to a folder of their own, and looks at it as at any model's. Throws INVALID_ARGUMENT for paths that
 * would lie elsewhere; nothing is left behind then. Whoever gets the entry has to remove it.
 */
export async function writeOverrides(name: string, files: LoadOverrides['files']): Promise<ModelEntry> {
  for (const path of files.keys()) checkPath(path);
  if (files.size > MOST_FILES) throw invalid(`a load request has up to ${MOST_FILES} files, got ${files.size}`);
  const root = await mkdtemp(join(tmpdir(), 'conch-load-'));
  try {
    for (const [path, content] of files) {
      const target = join(root, name, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content, { flag: 'wx' });
    }
    return { ...(await scanModel(root, name, '')), isTemporary: true };
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw invalid(`the files of the load request cannot be written: ${(error as Error).message}`);
  }
}

/** @param directory of an entry that `writeOverrides` made */
export async function removeOverrides(directory: string): Promise<void> {
  await rm(dirname(directory), { recursive: true, force: true });
}

function checkPath(path: string): void {
  const parts = path.split('/');
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isPlain && !/[\\\0]/.test(path) && path.length <= LONGEST_PATH) return;
  throw invalid(
    `parameter 'file:${path.slice(0, 80)}': expected a path in the model's folder like 'file:1/model.onnx', without '..', '\\' and a leading '/'`,
  );
}
