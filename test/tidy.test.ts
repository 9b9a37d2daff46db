import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Folders of `src` by floor, the lowest first. Imports go down: never up, never sideways between folders of one floor. */
const floors: readonly (readonly string[])[] = [
  ['base'],
  ['types'],
  ['memory', 'telemetry', 'transport'],
  ['config'],
  ['repository'],
  ['backends'],
  ['schedulers'],
  ['core'],
  ['protocols'],
  ['check'],
];

/** The composition root: may import everything, and nothing below imports it. */
const rootFiles = [
  'cli.ts',
  'conch.ts',
  'main.ts',
  'model-actions.ts',
  'server-telemetry.ts',
  'status-table.ts',
  'trtserver.ts',
];

/** Commands of the load test, which `main.ts` loads when they are asked for. */
const loadCommands = ['bench/load/bench-command.ts', 'bench/tune/tune-command.ts'];

const LONGEST_FILE_LINES = 400;
/** What everybody reads stays short. */
const SHORT_FILE_LINES = 100;
const shortFiles = ['src/backends/backend.ts', 'src/schedulers/scheduler.ts', 'src/backends/worker-protocol.ts'];

interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  /** Path of the imported file, or the name of a package as it is written. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** TypeScript files of a folder; none where there is no such folder yet. */
function filesOf(folder: string): SourceFile[] {
  let names: string[];
  try {
    names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  const sources = names.filter((name) => /\.(ts|mts|js|mjs)$/.test(name) && !name.includes('node_modules'));
  return sources.sort().map((name) => {
    const path = join(folder, name).replaceAll('\\', '/');
    return { path, text: readFileSync(join(root, path), 'utf8') };
  });
}

const importPattern = /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s*['"]([^'"]+)['"]/g;
const otherPattern = /\bimport\(\s*['"]([^'"]+)['"]|(?:^|\n)import\s+['"]([^'"]+)['"]/g;

function importsOf({ path, text }: SourceFile): Import[] {
  const static_ = [...text.matchAll(importPattern)].map((match) => ({
    to: match[2]!,
    typeOnly: match[1] !== undefined,
  }));
  const others = [...text.matchAll(otherPattern)].map((match) => ({ to: (match[1] ?? match[2])!, typeOnly: false }));
  return [...static_, ...others].map(({ to, typeOnly }) => ({ from: path, to: resolveImport(path, to), typeOnly }));
}

function resolveImport(from: string, to: string): string {
  if (!to.startsWith('.')) return to;
  return relative('.', join(dirname(from), to)).replace(/\.js$/, '.ts');
}

function textOf({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

/** The folder of `src` that a file is in; '' = it is not in one. */
function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
}

function floorOf(path: string): number {
  return floors.findIndex((folders) => folders.includes(folderOf(path)));
}

const source = filesOf('src');
const workers = filesOf('workers');
const bench = filesOf('bench');
const client = filesOf('client');
const all = [...source, ...workers, ...bench, ...client, ...filesOf('test'), ...filesOf('examples')];

const isLocal = ({ to }: Import) => /^(src|workers|bench|client|test|examples)\//.test(to);
const localImports = (files: readonly SourceFile[]) => files.flatMap(importsOf).filter(isLocal);

test('the files and imports are found at all', () => {
  expect(source.length).toBeGreaterThan(60);
  expect(localImports(source).length).toBeGreaterThan(150);
  expect(localImports(workers).map(textOf)).toContain('workers/loop.ts imports src/memory/ring.ts');
  const isThere = (to: string) => all.some(({ path }) => path === to || path === to.replace(/\.ts$/, '.js'));
  const missing = localImports(all).filter(({ to }) => to.endsWith('.ts') && !isThere(to));
  expect(missing.map(textOf)).toEqual([]);
});

test('every file of src is on a floor', () => {
  const lost = source.filter(({ path }) => floorOf(path) < 0 && !rootFiles.includes(path.slice('src/'.length)));
  expect(lost.map(({ path }) => path)).toEqual([]);
});

test('imports go down the floors, never up or sideways', () => {
  const wrong = localImports(source).filter(({ from, to }) => {
    const [above, below] = [floorOf(from), floorOf(to)];
    if (above < 0) return !to.startsWith('src/') && !loadCommands.includes(to);
    return folderOf(from) !== folderOf(to) && !(below >= 0 && below < above);
  });
  expect(wrong.map(textOf)).toEqual([]);
});

test('protocols do not import each other, only what they share', () => {
  const protocolOf = (path: string) => /^src\/protocols\/([^/]+)\//.exec(path)?.[1] ?? '';
  const wrong = localImports(source).filter(
    ({ from, to }) => protocolOf(to) !== '' && protocolOf(from) !== protocolOf(to) && floorOf(from) >= 0,
  );
  expect(wrong.map(textOf)).toEqual([]);
});

test('no file imports itself, over whatever way', () => {
  const next = new Map<string, string[]>();
  // Types are gone when the program runs.
  for (const { from, to, typeOnly } of localImports([...source, ...workers])) {
    if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (finished.has(path) || way.includes(path)) return;
    for (const to of next.get(path) ?? []) visit(to, [...way, path]);
    finished.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test('workers import only base, types, memory and the protocols of workers', () => {
  const allowed = /^(workers\/|src\/(base|types|memory)\/|src\/backends\/[a-z]+-protocol\.ts$)/;
  expect(
    localImports(workers)
      .filter(({ to }) => !allowed.test(to))
      .map(textOf),
  ).toEqual([]);
  expect(
    localImports(source)
      .filter(({ to }) => to.startsWith('workers/'))
      .map(textOf),
  ).toEqual([]);
});

test('the client imports only types; nothing of src imports client, bench or test', () => {
  const allowed = /^(client|src\/types)\//;
  expect(
    localImports(client)
      .filter(({ to }) => !allowed.test(to))
      .map(textOf),
  ).toEqual([]);
  const outside = localImports([...source, ...workers]).filter(({ to }) => /^(client|bench|test|examples)\//.test(to));
  const commands = loadCommands.map((to) => `src/main.ts imports ${to}`);
  expect(outside.map(textOf).sort()).toEqual(commands);
});

test('load tests know the server only from outside', () => {
  const core = localImports(bench.filter(({ path }) => path.startsWith('bench/core/')));
  const allowed = /^(bench|client|src\/types)\/|^src\/core\/server\.ts$/;
  expect(core.filter(({ to }) => !allowed.test(to)).map(textOf)).toEqual([]);
});

test('there are no barrel files', () => {
  expect(all.filter(({ path }) => /\/index\.(ts|mts|js|mjs)$/.test(path)).map(({ path }) => path)).toEqual([]);
  const forwarding = all.filter(({ text }) => /^export\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s+)?from\b/m.test(text));
  // What users import from the package has the types that they need to name.
  expect(forwarding.map(({ path }) => path)).toEqual(['bench/load/library.ts']);
});

test('threads meet in one file', () => {
  const users = [...source, ...workers].filter(({ text }) => /\bAtomics\./.test(text));
  expect(users.map(({ path }) => path)).toEqual(['src/memory/ring.ts']);
});

test('time is asked for in one file', () => {
  const asks = /\b(performance\.now|process\.hrtime)\b/;
  const users = [...source, ...workers].filter(({ text }) => asks.test(text));
  expect(users.map(({ path }) => path)).toEqual(['src/base/clock.ts']);
});

test('nothing is left to do in comments', () => {
  const leftover = /\b(TODO|FIXME|XXX|HACK)\b/;
  const here = 'test/tidy.test.ts';
  expect(all.filter(({ path, text }) => path !== here && leftover.test(text)).map(({ path }) => path)).toEqual([]);
});

test('no test is the only one that runs', () => {
  const only = /\b(test|it|describe)(\.\w+)*\.only\b/;
  expect(
    filesOf('test')
      .filter(({ text }) => only.test(text))
      .map(({ path }) => path),
  ).toEqual([]);
});

// How long a function may be is a rule of the linter: `noExcessiveLinesPerFunction` in biome.json.
test('files are short', () => {
  const lines = ({ text }: SourceFile) => text.split('\n').length - 1;
  const long = [...source, ...workers].filter((file) => lines(file) > LONGEST_FILE_LINES);
  expect(long.map((file) => `${file.path}: ${lines(file)}`)).toEqual([]);
  const common = source.filter(({ path }) => shortFiles.includes(path));
  expect(common.map(({ path }) => path).sort()).toEqual([...shortFiles].sort());
  expect(common.filter((file) => lines(file) > SHORT_FILE_LINES).map(({ path }) => path)).toEqual([]);
});
