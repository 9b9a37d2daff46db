import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadResult } from '../../../../bench/load/report.js';
import { readReport } from '../../../../bench/report/read-report.js';
import { ask, get } from '../../../e2e/requests.js';
import { ServerProcess } from '../../../e2e/server.js';
import { until } from '../../../e2e/until.js';
import { bench, interrupted } from './bench-process.js';

let server: ServerProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'conch-bench-'));
  server = await ServerProcess.start({ models: ['accumulator', 'countdown'] });
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

/**
 * Streams whose answers are the sums of what came before: they are wrong where a sequence did not begin anew, or mixes with another. The last
 * step, which ends the sequence, has it as the total too.
 */
function sums(name: string, streams: readonly (readonly number[])[], hasTotal = true): string {
  const file = join(folder, name);
  const steps = (values: readonly number[]) => values.map((value) => ({ INPUT: [value] }));
  const answers = (values: readonly number[]) =>
    values.map((_, nth) => {
      const sum = values.slice(0, nth + 1).reduce((total, value) => total + value, 0);
      const total = nth === values.length - 1 ? sum : 0;
      return { OUTPUT: [sum], ...(hasTotal ? { TOTAL: [total] } : {}) };
    });
  writeFileSync(file, JSON.stringify({ data: streams.map(steps), validation_data: streams.map(answers) }));
  return file;
}

const measured = (...args: readonly string[]) => measuredOf('accumulator', ...args);

async function measuredOf(model: string, ...args: readonly string[]): Promise<LoadResult> {
  const json = join(folder, 'report.json');
  const { code, output } = await bench(['-m', model, '--warmup-interval', '0', '--quiet', '--json', json, ...args]);
  expect({ code, output }).toEqual({ code: 0, output: '' });
  return (await readReport(json)).results[0]!;
}

const STREAMS = [[1, 2, 3], [10, 20], [7]];

test.each([
  ['http', ['--concurrency-range', '5']],
  ['http', ['--request-rate-range', '400', '--num-of-sequences', '3', '--max-threads', '2']],
  ['grpc', ['--concurrency-range', '4', '--max-threads', '3']],
  ['grpc', ['--streaming', '--concurrency-range', '6']],
  ['ws', ['--concurrency-range', '3']],
])('every sequence begins and ends: running sums over %s %j', async (protocol, load) => {
  const place = `127.0.0.1:${protocol === 'grpc' ? server.grpcPort : server.httpPort}`;
  const given = ['--input-data', sums('sums.json', STREAMS), '--request-count', '202'];
  const result = await measured('-i', protocol, '-u', place, ...given, ...load);
  expect(result).toMatchObject({ requests: 202, failures: [] });
  expect(result.sequencesPerSecond * result.seconds).toBeGreaterThan(60);
});

test('in process too', async () => {
  const place = ['--service-kind', 'in_process', '--model-repository', server.repository];
  const result = await measured(...place, '--input-data', sums('sums.json', STREAMS), '--request-count', '60');
  // Three sequences have six steps.
  expect(result).toMatchObject({ requests: 60, failures: [] });
  expect(Math.round(result.sequencesPerSecond * result.seconds)).toBe(30);
});

test('--sequence-length repeats a stream that is shorter, and cuts one that is longer', async () => {
  // Whose sum is 0: repeated, it goes on as it began; where the next sequence did not begin anew, 5 is left over.
  const data = sums('length.json', [[5, -5]], false);
  const place = ['-u', `127.0.0.1:${server.httpPort}`, '--sequence-length-variation', '0'];
  for (const length of [5, 1]) {
    const given = ['--input-data', data, '--sequence-length', String(length), '--request-count', '100'];
    const result = await measured(...place, ...given);
    expect(result).toMatchObject({ requests: 100, failures: [] });
    expect(Math.round(result.sequencesPerSecond * result.seconds)).toBe(100 / length);
  }
});

async function liveSequences(): Promise<number> {
  const { body } = await ask(server.metricsPort, get('/metrics'));
  return Number(/conch_sequences_live\{model="accumulator",place="slot",version="1"\} (\d+)/.exec(body.toString())![1]);
}

test('no sequence is left when windows of time end, nor after Ctrl-C', async () => {
  const place = ['-u', `127.0.0.1:${server.httpPort}`, '--concurrency-range', '4', '--sequence-length', '100000'];
  const result = await measured(...place, '-p', '100', '-r', '1');
  expect(result.requests).toBeGreaterThan(0);
  expect(await liveSequences()).toBe(0);
  const given = ['-m', 'accumulator', ...place, '--warmup-interval', '0', '--quiet'];
  const { code } = await interrupted(given, () => until('sequences live', async () => (await liveSequences()) === 4));
  // 130 where not even one answer had come.
  expect([0, 130]).toContain(code);
  expect(await liveSequences()).toBe(0);
});

/** From 3 and from 1 down to 1. */
function countdowns(): string {
  const file = join(folder, 'countdowns.json');
  writeFileSync(file, JSON.stringify({ data: [{ COUNT: [3] }, { COUNT: [1] }] }));
  return file;
}

test.each([
  ['gRPC', () => ['-i', 'grpc', '--streaming', '-u', `127.0.0.1:${server.grpcPort}`]],
  ['WebSocket', () => ['-i', 'ws', '-u', `127.0.0.1:${server.httpPort}`]],
  ['no network', () => ['--service-kind', 'in_process', '--model-repository', server.repository]],
])('requests to an iterative model are sequences of their own, over %s', async (_, place) => {
  const given = ['--input-data', countdowns(), '--request-count', '60', '--concurrency-range', '3'];
  const result = await measuredOf('countdown', ...place(), ...given);
  expect(result).toMatchObject({ requests: 60, failures: [], sequencesPerSecond: 0 });
  expect(Math.round(result.responsesPerSecond * result.seconds)).toBe(120);
});
