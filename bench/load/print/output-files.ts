import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Files that are written at the end, by their flags; null = none. Rejects for one that cannot be: a run takes long, that is better known before it. */
export async function checkOutputFiles(files: Readonly<Record<string, string | null>>): Promise<void> {
  for (const [flag, file] of Object.entries(files)) {
    if (file === null) continue;
    const why = await whyNotWritable(resolve(file));
    if (why !== null) throw new Error(`${flag} ${file} cannot be written: ${why}`);
  }
}

async function whyNotWritable(file: string): Promise<string | null> {
  const known = await stat(file).catch(() => null);
  if (known?.isDirectory()) return 'it is a folder';
  try {
    await access(known === null ? dirname(file) : file, constants.W_OK);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
