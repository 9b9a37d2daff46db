import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { type PartFile, partFiles } from '../../../bench/micro/part.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const built = join(root, 'dist/bench/micro');

function load(file: string): Promise<PartFile> {
  return import(pathToFileURL(join(built, 'parts', `${file}.js`)).href);
}

test('every file of parts is run', () => {
  const files = readdirSync(join(root, 'bench/micro/parts')).map((name) => name.replace('.ts', ''));
  expect([...partFiles].sort()).toEqual(files.sort());
});

test.each(partFiles)('parts of %s are called after their file, once each, and do what they say', async (file) => {
  const { parts } = await load(file);
  const names = parts.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const part of parts) {
    expect(part.name).toMatch(new RegExp(`^${file}/[a-z0-9-]+$`));
    const running = await part.setUp();
    if ('burst' in running) expect(await running.burst(50), part.name).toBe(50);
    else for (let nth = 0; nth < 3; nth++) expect(Number.isFinite(running.step(nth)), part.name).toBe(true);
    await running.tearDown?.();
  }
});

test('the program measures what it is asked for, in processes of their own, and writes JSON', () => {
  const folder = mkdtempSync(join(tmpdir(), 'micro-'));
  const json = join(folder, 'report.json');
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(built, 'main.js'), ...args], { encoding: 'utf8' });
  const { stdout, status } = run(
    '--only',
    'ring/batches-64',
    '--only',
    'memory/planes-64',
    '--rounds',
    '2',
    '--json',
    json,
  );
  const report = JSON.parse(readFileSync(json, 'utf8'));
  rmSync(folder, { recursive: true, force: true });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^memory\/planes-64 +[\d.]+ +\[/m);
  expect(report.parts.map(({ name }: { name: string }) => name)).toEqual(['memory/planes-64', 'ring/batches-64']);
  for (const part of report.parts) expect(part.samplesNs).toHaveLength(2);
  expect(report.failures).toEqual({});
  const unknown = run('--only', 'nothing');
  expect(unknown.status).toBe(1);
  expect(unknown.stderr).toContain("--only: no part's name begins with nothing");
});
