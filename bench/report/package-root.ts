import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json with a slash at its end: this file runs from bench/ and from dist/bench/. */
export const packageRoot = `${rootAbove(dirname(fileURLToPath(import.meta.url)))}/`;

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootAbove(dirname(folder));
}
