import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadResult } from '../../../../bench/load/report.js';
import { readReport } from '../../../../bench/report/read-report.js';
import { MainProcess, ServerProcess } from '../../../e2e/server.js';
import { bench } from './bench-process.js';

const MODELS = ['simple', 'repeat', 'caller', 'multi_version'];
const ODD_NAME = 'größe 50%?';
/** perf_analyzer -f, of version 2.59. */
const CSV_HEAD =
  'Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,' +
  'Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency';

let server: ServerProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conch-bench-'));
  server = await ServerProcess.start({
    models: MODELS,
    copies: { [ODD_NAME]: 'simple' },
    flags: ['--allow-client-shm=true'],
  });
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

const http = () => ['-u', `127.0.0.1:${server.httpPort}`];
const grpc = () => ['-i', 'grpc', '-u', `127.0.0.1:${server.grpcPort}`];
const ws = () => ['-i', 'ws', '-u', `127.0.0.1:${server.httpPort}`];
const inProcess = () => ['--service-kind', 'in_process', '--model-repository', server.repository];

/** Runs the command without progress and table; the only load's result, and how it ended. */
async function measured(model: string, ...args: readonly string[]) {
  const json = join(folder, 'report.json');
  const given = ['-m', model, '--warmup-interval', '0', '--quiet', '--json', json, ...args];
  const { code, output } = await bench(given);
  const { results, server: facts } = await readReport(json);
  expect(results).toHaveLength(1);
  return { code, output, facts, result: results[0]! as LoadResult };
}

test.each([
  ['http', http, []],
  ['http', http, ['--input-tensor-format', 'json', '--output-tensor-format', 'json']],
  ['http', http, ['--shared-memory', 'system']],
  ['http', http, ['--request-rate-range', '500']],
  ['grpc', grpc, []],
  ['grpc-stream', grpc, ['--streaming']],
  ['ws', ws, []],
  ['in-process', inProcess, []],
])('exactly as many requests as are asked for, over %s %#', async (protocol, place, flags) => {
  const threads = protocol === 'in-process' ? [] : ['--max-threads', '3'];
  const load = flags.includes('--request-rate-range') ? [] : ['--concurrency-range', '2'];
  const { code, output, facts, result } = await measured(
    'simple',
    ...place(),
    ...flags,
    ...threads,
    ...load,
    '--request-count',
    '101',
  );
  expect({ code, output }).toEqual({ code: 0, output: '' });
  expect(facts).toMatchObject({ protocol, url: protocol === 'in-process' ? '' : place().at(-1) });
  expect(result).toMatchObject({ requests: 101, failures: [], isStable: true });
  expect(result.latency.count).toBe(101);
  expect(result.models).toMatchObject([{ model: 'simple', requests: 101, inferences: 101 }]);
});

test('every request of a profile is answered and counted, the last ones too', async () => {
  const profile = join(folder, 'profile.json');
  writeFileSync(
    profile,
    JSON.stringify({
      phases: [
        { seconds: 0.3, rate: 100 },
        { seconds: 0.1, from: 100, to: 900 },
      ],
    }),
  );
  const { code, result } = await measured('simple', ...http(), '--load-profile', profile, '--max-threads', '2');
  expect(code).toBe(0);
  expect(result).toMatchObject({ requests: 80, failures: [], isStable: true, lateness: { backlog: 0 } });
  expect(result.seconds).toBeGreaterThanOrEqual(0.4);
});

test.each([
  ['http', http],
  ['grpc', grpc],
])('names that a path has to escape, and versions, over %s', async (_, place) => {
  const { code, result } = await measured(ODD_NAME, ...place(), '-x', '1', '--request-count', '10');
  expect(code).toBe(0);
  expect(result.models).toMatchObject([{ model: ODD_NAME, version: '1', requests: 10 }]);
});

test('all answers of a decoupled model are counted', async () => {
  const given = ['--string-data', 'plain', '--seed', '1', '--request-count', '20'];
  const { result } = await measured('repeat', ...grpc(), '--streaming', ...given);
  expect(result).toMatchObject({ requests: 20, failures: [] });
  expect(result.firstResponse!.count + result.betweenResponses!.count).toBeGreaterThan(20);
});

test('in process, a model whose code calls another has it with --load-model', async () => {
  const given = [...inProcess(), '--string-data', 'versions', '--request-count', '8'];
  const alone = await measured('caller', ...given);
  expect(alone.code).toBe(1);
  expect(alone.output).toMatch(
    /^conch bench: all 8 requests failed with NOT_FOUND: .*; --load-model NAME loads it too$/m,
  );
  const together = await measured('caller', ...given, '--load-model', 'multi_version');
  expect(together).toMatchObject({ code: 0, output: '', result: { requests: 8, failures: [] } });
});

test('files: CSV in the columns of perf_analyzer, a report that is read again, a page', async () => {
  const [csv, json, html] = ['a.csv', 'a.json', 'a.html'].map((name) => join(folder, name)) as [string, string, string];
  const loads = ['--concurrency-range', '1:2', '--request-count', '40', '--warmup-interval', '0'];
  const { code, stdout } = await bench([
    '-m',
    'simple',
    ...http(),
    ...loads,
    '-f',
    csv,
    '--json',
    json,
    '--html',
    html,
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain('simple (version 1) on ');
  expect(stdout).toMatch(/│ 1 +│.*\n│ 2 +│/);
  const lines = readFileSync(csv, 'utf8').trimEnd().split('\n');
  expect(lines[0]).toBe(CSV_HEAD);
  expect(lines.slice(1).map((line) => line.split(',').length)).toEqual([13, 13]);
  const report = await readReport(json);
  expect(report).toMatchObject({
    isPartial: false,
    results: [
      { name: '1', requests: 40 },
      { name: '2', requests: 40 },
    ],
  });
  expect(report.command).toContain('conch bench -m simple');
  expect(readFileSync(html, 'utf8')).toContain('<title>simple · conch bench</title>');
  const compared = await bench(['compare', json, json]);
  expect(compared).toMatchObject({ code: 0, stdout: expect.stringContaining('simple') });
});

test('a report that cannot be written is named, and what was measured is shown', async () => {
  const csv = join(folder, 'b.csv');
  const files = ['--json', '/dev/full', '--csv', csv];
  const { code, stdout, output } = await bench(['-m', 'simple', ...http(), '--request-count', '40', ...files]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/│ 1 +│/);
  expect(output).toContain('conch bench: --json /dev/full cannot be written: ENOSPC');
  expect(readFileSync(csv, 'utf8')).toContain(CSV_HEAD);
});

test('nobody reads what it says: its files are written, and it ends as it would', async () => {
  const csv = join(folder, 'unread.csv');
  const main = new MainProcess(['bench', '-m', 'simple', ...http(), '--request-count', '40', '--csv', csv]);
  main.child.stdout!.destroy();
  expect(await main.exit).toBe(0);
  expect(main.output).toBe('');
  expect(readFileSync(csv, 'utf8')).toContain(CSV_HEAD);
});

test('answers that are not what the data expect are failures, and the exit code says so', async () => {
  const data = join(folder, 'data.json');
  const step = (value: number) => ({
    INPUT0: { content: Array(16).fill(value) },
    INPUT1: { content: Array(16).fill(1) },
  });
  const answer = (value: number) => ({ OUTPUT0: { content: Array(16).fill(value) } });
  // The second sum is another.
  const steps = { data: [step(1), step(2)], validation_data: [answer(2), answer(4)] };
  writeFileSync(data, JSON.stringify(steps));
  const { code, result } = await measured('simple', ...http(), '--input-data', data, '--request-count', '30');
  expect(code).toBe(1);
  expect(result).toMatchObject({ requests: 15, failures: [{ kind: 'wrong output', count: 15 }] });
  expect(result.failures[0]!.message).toContain('OUTPUT0');
});

test.each([
  [['-m', 'simple', '-b', '99'], "-b 99: the model 'simple' takes batches of 8 at most"],
  [['-m', 'repeat'], "the model 'repeat' is decoupled"],
  [['-m', 'simple', '--json', '/nowhere/a.json'], '--json /nowhere/a.json cannot be written'],
  [['-m', 'simple', '--load-profile', '/nowhere/p.json'], '/nowhere/p.json: cannot be read: ENOENT'],
  [['-m', 'caler'], "; did you mean 'caller'?"],
  [['-m', 'simple', '--request-rate-range', '1', '--concurrency-range', '1'], 'contradict each other'],
  [['-m', 'simple', '--collect-metrics', '--metrics-url', '127.0.0.1:1'], 'cannot ask http://127.0.0.1:1 for metrics'],
])('%j is refused in words, and nothing is measured', async (args, message) => {
  const { code, stdout, output } = await bench([...args, ...http()]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(output).toContain(message);
});

test('nobody listens', async () => {
  const { code, output } = await bench(['-m', 'simple', '-u', '127.0.0.1:1']);
  expect(code).toBe(2);
  expect(output).toContain('ECONNREFUSED 127.0.0.1:1. Is the server running there? -u HOST:PORT says where it is');
});
