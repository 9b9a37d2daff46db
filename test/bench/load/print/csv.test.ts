import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Load } from '../../../../bench/load/load.js';
import { csvOf } from '../../../../bench/load/print/csv.js';
import type { LoadReport, LoadResult } from '../../../../bench/load/report.js';
import { reportOf, resultOf, shareOf } from '../reports.js';

/** The first line of what perf_analyzer wrote with `-f`, when it ran against a Conch server. */
function headerOf(name: string): string {
  return readFileSync(new URL(`perf-analyzer-csv/${name}.csv`, import.meta.url), 'utf8');
}

const models = [shareOf()];
const rate: Load = { kind: 'open', arrivals: { kind: 'constant', ratePerSecond: 100 }, maxInFlight: 4 };
const cached = [shareOf({ cacheHits: 5, cacheMisses: 1, cacheHitUs: 8, cacheMissUs: 30 })];
const plain = reportOf([resultOf({ models })]);
const withPercentile = reportOf([resultOf({ models }, 97)], { percentile: 97 });

test.each<[string, LoadReport, boolean]>([
  ['concurrency', plain, false],
  ['concurrency-verbose', plain, true],
  ['concurrency-percentile', withPercentile, false],
  ['concurrency-percentile-verbose', withPercentile, true],
  ['concurrency-cache', reportOf([resultOf({ models: cached })]), false],
  ['concurrency-metrics', reportOf([resultOf({ models, metrics: {} })]), true],
  ['rate', reportOf([resultOf({ models, load: rate })]), false],
])('the header is that of perf_analyzer: %s', (name, report, isVerbose) => {
  const header = headerOf(name);
  expect(header.split(',').length).toBeGreaterThan(10);
  expect(csvOf(report, isVerbose).startsWith(header)).toBe(true);
});

/** The cells of the rows by column. */
function rowsOf(report: LoadReport, isVerbose = false): Record<string, string>[] {
  const [head = '', ...rows] = csvOf(report, isVerbose).trimEnd().split('\n');
  const names = head.split(',');
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [names[i]!, cell])));
}

test('times are whole microseconds, and what is left of the latency is the network', () => {
  expect(rowsOf(plain, true)[0]).toEqual({
    Concurrency: '1',
    'Inferences/Second': '1000',
    'Client Send': '31',
    'Network+Server Send/Recv': '110',
    'Server Queue': '43',
    'Server Compute Input': '1',
    'Server Compute Infer': '13',
    'Server Compute Output': '0',
    'Client Recv': '4',
    'p50 latency': '205',
    'p90 latency': '205',
    'p95 latency': '205',
    'p99 latency': '205',
    'Avg latency': '205',
    'request/response': '35',
    'response wait': '169',
  });
});

const named = (concurrency: number, throughput: number): LoadResult =>
  resultOf({ load: { kind: 'closed', concurrency }, throughput });

test('rows grow by throughput, which has six digits', () => {
  const rows = rowsOf(reportOf([named(1, 300.12345678), named(2, 9130.359), named(3, 1234567.8), named(4, 299.5)]));
  const shown = rows.map((row) => [row.Concurrency, row['Inferences/Second']]);
  expect(shown).toEqual([
    ['4', '299.5'],
    ['1', '300.123'],
    ['2', '9130.36'],
    ['3', '1234568'],
  ]);
});

test('a server without statistics has no columns; a decoupled model has its answers', () => {
  const report = plain;
  const model = { ...report.model, isDecoupled: true };
  const [row] = rowsOf({ ...report, model, results: [resultOf({ responsesPerSecond: 4000 })] });
  expect(Object.keys(row!).slice(0, 5)).toEqual([
    'Concurrency',
    'Inferences/Second',
    'Response Throughput',
    'Client Send',
    'Client Recv',
  ]);
  expect(row?.['Response Throughput']).toBe('4000');
});

test('GPUs are told apart by their UUID', () => {
  const metrics = {
    'nv_gpu_utilization{gpu_uuid="GPU-a"}': { mean: 0.25, max: 1 },
    'nv_gpu_utilization{gpu_uuid="GPU-b"}': { mean: 0.5, max: 1 },
    'nv_gpu_memory_used_bytes{gpu_uuid="GPU-a"}': { mean: 1, max: 2048 },
  };
  const [row] = rowsOf(reportOf([resultOf({ metrics })]), true);
  expect(row?.['Avg GPU Utilization']).toBe('GPU-a:0.25;GPU-b:0.5;');
  expect(row?.['Max GPU Memory Usage']).toBe('GPU-a:2048;');
  expect(row?.['Total GPU Memory']).toBe('');
});
