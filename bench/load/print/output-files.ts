import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Files that are written at the end, by their flags; null = none. Rejects for one that cannot be: a run takes long, that is better known before it. */
export async function checkOutputFiles(files: Readonly<Record<string, string | null>>): Promise<void> {
  const flags = new Map<string, string>();
  for (const [flag, file] of Object.entries(files)) {
    if (file === null) continue;
    const path = resolve(file);
    const why = await whyNotWritable(path);
    if (why !== null) throw new Error(unwritten(flag, file, why));
    const other = flags.get(path);
    if (other !== undefined && !(await isDevice(path))) {
      throw new Error(`${other} and ${flag} name the same file, ${file}: one would replace the other`);
    }
    flags.set(path, flag);
  }
}

/** By its flag, a file (null = none) and what it has. */
export type OutputFile = readonly [flag: string, file: string | null, text: () => string];

/** Writes each that can be. @returns which could not, in a sentence each */
export async function writeOutputFiles(files: readonly OutputFile[]): Promise<string[]> {
  const failures: string[] = [];
  for (const [flag, file, text] of files) {
    if (file === null) continue;
    await writeFile(file, text()).catch((error: Error) => failures.push(unwritten(flag, file, error.message)));
  }
  return failures;
}

function unwritten(flag: string, file: string, why: string): string {
  return `${flag} ${file} cannot be written: ${why}`;
}

/** Such as /dev/null, which takes everything. */
async function isDevice(path: string): Promise<boolean> {
  const known = await stat(path).catch(() => null);
  return known !== null && !known.isFile();
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
