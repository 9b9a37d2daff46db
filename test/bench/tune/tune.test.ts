import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TuneReport } from '../../../bench/tune/tune.js';
import { parseModelConfig } from '../../../src/config/pbtxt.js';
import { makeRepository, root } from '../../e2e/server.js';
import { until } from '../../e2e/until.js';

/** Each measurement starts a server. */
vi.setConfig({ testTimeout: 300_000 });

/** A place for results, and one for what is temporary. */
let folder: string;
let temporary: string;
/** `simple_b64` with dynamic batching, one instance and batches of up to 8; `identity_fp32`. */
let repository: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conch-tuned-'));
  temporary = join(folder, 'tmp');
  await mkdir(temporary);
  repository = await makeRepository(['simple_b64', 'identity_fp32']);
  const file = join(repository, 'simple_b64/config.pbtxt');
  const config = await readFile(file, 'utf8');
  const changed = config.replace('max_batch_size: 64', 'max_batch_size: 8');
  await writeFile(file, `# Sums.\n${changed}instance_group [ { count: 1 } ]\n`);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(repository, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * `conch tune`, as the leader of a group as at a terminal. `interruptAt`: Ctrl-C for the whole group once it has printed that, or has its
 * temporary folder. `signals`: instead of Ctrl-C, for the leader alone.
 */
async function tune(
  args: readonly string[],
  interruptAt: RegExp | 'folder' | null = null,
  signals: readonly NodeJS.Signals[] = [],
): Promise<Ran> {
  const child = spawn(process.execPath, [join(root, 'dist/src/main.js'), 'tune', ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  let [stdout, stderr, isInterrupted] = ['', '', false];
  const interrupt = () => {
    if (isInterrupted) return;
    isInterrupted = true;
    if (signals.length === 0) process.kill(-child.pid!, 'SIGINT');
    for (const signal of signals) child.kill(signal);
  };
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
    if (interruptAt instanceof RegExp && interruptAt.test(stderr)) interrupt();
  });
  const watcher = interruptAt === 'folder' ? watch(temporary, interrupt) : null;
  const [code] = await once(child, 'close');
  watcher?.close();
  return { code: code as number | null, stdout, stderr };
}

/** Command lines of processes (of Linux) that have to do with the folder of what is temporary. */
async function processesLeft(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // A process may end while we look.
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(temporary));
}

/** Of every file of a folder: its content and when it was written. */
async function stateOf(of: string): Promise<string[]> {
  const entries = await readdir(of, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const states = files.sort().map(async (file) => {
    const digest = createHash('sha256').update(await readFile(file));
    return `${file} ${digest.digest('hex')} ${(await stat(file)).mtimeMs}`;
  });
  return Promise.all(states);
}

async function expectNothingLeft(): Promise<void> {
  // The runtime of ONNX models keeps logs of its own there.
  const names = await readdir(temporary);
  expect(names.filter((name) => name.startsWith('conch'))).toEqual([]);
  // One that was killed takes a moment to be gone.
  await until('no process is left', async () => (await processesLeft()).length === 0);
}

const TINY = [
  ...['--instances', '1', '--threads', '1', '--queue-delay-us', '0', '--concurrency', '1,8', '-p', '100'],
  ...['--best', '1', '--server-flag=--http-engine=net'],
];

const reportIn = async (file: string) => JSON.parse(await readFile(file, 'utf8')) as TuneReport;

describe('conch tune', () => {
  test('finds a configuration, and writes it, the page and all numbers; the repository stays as it is', async () => {
    const before = await stateOf(repository);
    const [json, html, config] = ['a.json', 'a.html', 'a.pbtxt'].map((name) => join(folder, name));
    const bounds = ['--model-repository', repository, ...TINY, '--max-batch-size', '1,8'];
    const { code, stdout, stderr } = await tune([
      ...['simple_b64', ...bounds, '--json', json!, '--html', html!, '--config', config!],
    ]);
    expect(stderr).toMatch(/^search 1: 1 instance, batches of 8, delay 0 us, \d+ threads?, 8 in flight: /);
    expect(code).toBe(0);
    const report = await reportIn(json!);
    const [best] = report.best;
    expect(stdout).toContain(`simple_b64: ${report.trials.length} of ${report.gridPoints} points measured`);
    expect(stdout).toMatch(/│ +│ instances │ +max │/);
    expect(stdout).toMatch(/│ now │ +1 │ +8 │ +0 │/);
    expect(report).toMatchObject({ format: 'conch-tune-1', model: 'simple_b64', isPartial: false, percentile: 99 });
    expect(report.trials.every(({ measurement }) => measurement.failures === 0)).toBe(true);
    expect(best!.result!.requests).toBeGreaterThan(0);
    expect(best!.measurement.memoryBytes).toBeGreaterThan(2 ** 20);
    const text = await readFile(config!, 'utf8');
    expect(text).toBe(report.configAfter);
    expect(text).toContain('# Sums.\n');
    expect(parseModelConfig(text, config!)).toMatchObject({
      name: 'simple_b64',
      max_batch_size: best!.point.maxBatchSize,
    });
    expect(await readFile(html!, 'utf8')).toContain('<title>simple_b64 · conch tune</title>');
    expect(await stateOf(repository)).toEqual(before);
    await expectNothingLeft();
  });

  test('ends with 1 where nothing is within the limits, and proposes no change', async () => {
    const config = join(folder, 'none.pbtxt');
    const args = ['--max-batch-size', '8', '--concurrency', '1', '-l', '0.001', '--config', config, '--quiet'];
    const { code, stdout, stderr } = await tune(['simple_b64', '--model-repository', repository, ...TINY, ...args]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/Nothing that was tried is within the limits; the least p99 was [\d.]+ ms\./);
    expect(await readFile(config, 'utf8')).toBe(await readFile(join(repository, 'simple_b64/config.pbtxt'), 'utf8'));
    await expectNothingLeft();
  });

  test('Ctrl-C in the middle gives the best so far', async () => {
    const json = join(folder, 'partial.json');
    const html = join(folder, 'partial.html');
    const args = ['--model-repository', repository, '-p', '100', '--json', json, '--html', html];
    const { code, stdout, stderr } = await tune(['simple_b64', ...args], /^search 2: /m);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/Error|confirm/);
    const report = await reportIn(json);
    expect(report.isPartial).toBe(true);
    expect(report.trials.length).toBeLessThan(report.gridPoints);
    const most = Math.max(...report.trials.map(({ measurement }) => measurement.throughput));
    expect(report.best[0]).toMatchObject({ measurement: { throughput: most }, result: null });
    const title = `^simple_b64: ${report.trials.length} of ${report.gridPoints} points measured on .*, then it was interrupted$`;
    expect(stdout).toMatch(new RegExp(title, 'm'));
    expect(stdout).toContain('It was interrupted before the best was measured again');
    expect(await readFile(html, 'utf8')).toContain('conch tune');
    await expectNothingLeft();
  });
});

test('Ctrl-C before anything was measured ends with 130', async () => {
  const { code, stdout, stderr } = await tune(['simple_b64', '--model-repository', repository], 'folder');
  expect({ code, stdout, stderr }).toEqual({
    code: 130,
    stdout: '',
    stderr: 'conch tune: interrupted, nothing was measured\n',
  });
  await expectNothingLeft();
});

test.each<[string, RegExp | 'folder']>([
  ['the folder is there', 'folder'],
  ['a point is measured', /^search 1: /m],
])('a second signal when %s ends it at once, and leaves nothing behind', async (_, when) => {
  const args = ['simple_b64', '--model-repository', repository];
  const { code, stdout } = await tune(args, when, ['SIGINT', 'SIGTERM']);
  expect(stdout).toBe('');
  // Of two signals that come at the same time either may be the second.
  expect([130, 143]).toContain(code);
  await expectNothingLeft();
});

test('SIGTERM gives the best so far', async () => {
  const args = ['simple_b64', '--model-repository', repository, '-p', '100'];
  const { code, stdout } = await tune(args, /^search 1: /m, ['SIGTERM']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^simple_b64: 1 of /);
  await expectNothingLeft();
});

describe('what cannot be tuned is named, and the exit code is 2', () => {
  test.each<[string, string[], RegExp]>([
    ['no repository', ['simple_b64'], /required option '--model-repository <dir>' not specified\nconch tune --help/],
    [
      'a repository that is not there',
      ['simple_b64', '--model-repository', '/nowhere/models'],
      /^conch tune: --model-repository \/nowhere\/models: ENOENT/,
    ],
    [
      'a model that is not there',
      ['simple', '--model-repository', 'test/models'],
      /^conch tune: --model-repository test\/models has no model 'simple': it has .* more; did you mean 'simple_/,
    ],
    [
      'a model whose name is nearly right',
      ['digit', '--model-repository', 'examples/models'],
      /^conch tune: --model-repository examples\/models has no model 'digit': it has .*; did you mean 'digits'\?$/m,
    ],
    [
      'an ensemble',
      ['digits_pipeline', '--model-repository', 'examples/models'],
      /^conch tune: the model 'digits_pipeline' is an ensemble, which runs nothing itself: tune its steps, digits_/,
    ],
    [
      'batches of a model that has none',
      ['identity_nobatch', '--model-repository', 'test/models', '--max-batch-size', '8'],
      /^conch tune: --max-batch-size: the model 'identity_nobatch' has no batch dimension/,
    ],
    [
      'data that cannot be read',
      [
        'simple',
        '--model-repository',
        'examples/models',
        '--server-flag=--allow-grpc=false',
        '--input-data',
        '/nowhere',
      ],
      /^conch tune: --input-data \/nowhere: cannot be read/,
    ],
    [
      'requests that the model refuses',
      ['digits_preprocess', '--model-repository', 'examples/models', '-p', '100'],
      /^conch tune: all \d+ requests failed with HTTP 400: picture 1 of 1 is neither PNG nor JPEG/,
    ],
    [
      'a page that cannot be written',
      ['simple_b64', '--model-repository', 'test/models', '--html', '/nowhere/a.html'],
      /^conch tune: --html \/nowhere\/a\.html cannot be written: ENOENT/,
    ],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await tune(args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    await expectNothingLeft();
  });
});
