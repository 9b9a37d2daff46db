import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sharedParts } from '../../../bench/compare/micro-side.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const program = join(root, 'dist/bench/compare/main.js');

function git(...args: string[]) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' });
}

const isCheckout = git('rev-parse', '--show-prefix').stdout?.trim() === '' && git('rev-parse', 'HEAD').status === 0;

/** Worktrees in this folder that git knows of. */
function worktreesIn(folder: string): string[] {
  return git('worktree', 'list', '--porcelain')
    .stdout.split('\n')
    .filter((line) => line.includes(folder));
}

test('parts that one side has not are named with the reason', () => {
  const part = (name: string) => ({ name, about: '', file: name.slice(0, name.indexOf('/')) });
  const a = { parts: [part('x/1'), part('y/1')], failures: new Map([['z', 'no export named Ring']]) };
  const b = { parts: [part('x/1'), part('x/2'), part('z/1')], failures: new Map() };
  expect(sharedParts(a, b, [''])).toEqual({
    both: [part('x/1')],
    skipped: [
      { name: 'y/1', reason: 'not in B: it has none' },
      { name: 'x/2', reason: 'not in A: it has none' },
      { name: 'z/1', reason: 'not in A: no export named Ring' },
    ],
  });
  expect(sharedParts(a, b, ['x/1']).skipped).toEqual([]);
  expect(() => sharedParts(a, b, ['q'])).toThrow("no part's name begins with q");
});

describe.skipIf(!isCheckout)('in a git checkout', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compare-test-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function start(...args: string[]) {
    const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, TMPDIR: folder } });
    const printed = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (printed.out += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (printed.err += text));
    return { child, printed, end: once(child, 'close') };
  }

  test('a revision is compared with itself, and leaves nothing behind', { timeout: 120_000 }, async () => {
    const { printed, end } = start('HEAD..HEAD', '--only', 'memory/planes-64', '--rounds', '2', '--samples', '1');
    expect((await end)[0], printed.err).toBe(0);
    expect(printed.out).toMatch(/^A = HEAD \([0-9a-f]{8}\), B = HEAD \([0-9a-f]{8}\); 2 rounds, /);
    expect(printed.out).toMatch(/^memory\/planes-64 +ns +[\d.]+ +[\d.]+ +[\d.]+ \[[\d.]+, [\d.]+\] /m);
    expect(printed.out).not.toContain('not compared');
    expect(readdirSync(folder)).toEqual([]);
    expect(worktreesIn(folder)).toEqual([]);
  });

  test('a signal in the middle leaves nothing behind', { timeout: 60_000 }, async () => {
    const { child, printed, end } = start('HEAD..HEAD', '--only', 'memory');
    while (!printed.err.includes('building')) await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect((await end)[0]).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
    expect(worktreesIn(folder)).toEqual([]);
  });

  test('what is no revision is refused before anything is built', async () => {
    const { printed, end } = start('HEAD..no-such-revision');
    expect((await end)[0]).toBe(1);
    expect(printed.err).toBe("'no-such-revision' is no revision of this git checkout\n");
    expect(readdirSync(folder)).toEqual([]);
  });
});
