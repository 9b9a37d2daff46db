import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { invalid } from '../types/errors.js';

/**
 * Reads a file that a configuration names. Throws INVALID_ARGUMENT where it cannot be read, or is not in the folder: a configuration can come
 * from a client. (Links are followed: only who owns the folder makes them.)
 * @param folder absolute; of the model, or one in it
 * @param what names it in messages, like `the labels of output 'scores'`
 */
export async function readModelFile(folder: string, file: string, what: string): Promise<Buffer> {
  const path = resolve(folder, file);
  if (!path.startsWith(folder + sep)) throw invalid(`${what}: expected a file in ${folder}, found '${file}'`);
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`${what}: ${path} cannot be read (${error.code ?? error.message})`);
  });
}
