import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Workplace } from './workplace.js';

/** A tree of sources that is built. */
export interface Checkout {
  readonly root: string;
  readonly label: string;
  /** What the compiler says of the benches of the working tree against these sources: they run all the same, where they can. */
  readonly remarks: readonly string[];
}

/** A commit, and what it was called. */
export interface Revision {
  readonly text: string;
  readonly commit: string;
}

/** What is built of a revision: its server, and the parts of the working tree. */
const tsconfig = {
  extends: './tsconfig.json',
  include: ['src', 'workers', 'bench/micro/part-process.ts', 'bench/micro/parts', 'bench/micro/fixtures'],
};
const TSCONFIG = 'tsconfig.compare.json';

/** The working tree, which was built by whoever started us. */
export function workingTree(root: string): Checkout {
  return { root, label: 'working tree', remarks: [] };
}

/**
 * Puts a revision into the workplace and builds it, with `bench/micro` of the working tree in the place of its own: both sides are
 * measured by the same code.
 * @param root of the working tree
 * @param name of the folder
 */
export async function checkOut(
  workplace: Workplace,
  root: string,
  { text, commit }: Revision,
  name: string,
): Promise<Checkout> {
  const path = await workplace.exportCommit(commit, name);
  await installPackages(workplace, root, path);
  rmSync(join(path, 'bench/micro'), { recursive: true, force: true });
  cpSync(join(root, 'bench/micro'), join(path, 'bench/micro'), { recursive: true });
  writeFileSync(join(path, TSCONFIG), JSON.stringify(tsconfig));
  const { output } = await workplace.run('node_modules/.bin/tsc', ['-p', TSCONFIG], path);
  const remarks = output.split('\n').filter((line) => line.includes('error TS'));
  checkBuild(path, text, remarks);
  return { root: path, label: `${text} (${commit.slice(0, 8)})`, remarks };
}

/** Throws where git knows none of this name. */
export async function findRevision(workplace: Workplace, text: string): Promise<Revision> {
  const prefix = await workplace.git('rev-parse', '--show-prefix').catch(() => null);
  if (prefix !== '') throw new Error('revisions are compared in a git checkout of the project, and this is none');
  try {
    return { text, commit: await workplace.git('rev-parse', '--verify', '--quiet', `${text}^{commit}`) };
  } catch {
    throw new Error(`'${text}' is no revision of this git checkout`);
  }
}

/** Those of the working tree where the same are asked for; else its own, which takes a minute and the registry. */
async function installPackages(workplace: Workplace, root: string, path: string): Promise<void> {
  const lock = (folder: string) => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  if (lock(root) === lock(path)) symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'));
  else await workplace.must('npm', ['ci', '--no-audit', '--no-fund'], path);
}

/** The compiler writes what it can; only of the benches may it find fault. */
function checkBuild(path: string, revision: string, remarks: readonly string[]): void {
  const own = remarks.filter((line) => !line.startsWith('bench/micro/'));
  const isWhole = ['dist/src/main.js', 'dist/bench/micro/part-process.js'].every((file) =>
    existsSync(join(path, file)),
  );
  if (own.length > 0 || !isWhole)
    throw new Error(`${revision} does not build:\n${[...own, ...remarks].slice(0, 20).join('\n')}`);
}
