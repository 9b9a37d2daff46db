import { expect, test } from 'vitest';
import type { Load } from '../../../../bench/load/load.js';
import { distributionOf } from '../../../../bench/load/measure/distribution.js';
import { summaryOf } from '../../../../bench/load/print/summary.js';
import type { LoadReport } from '../../../../bench/load/report.js';
import { reportOf, resultOf, shareOf } from '../reports.js';
import { histogramOf } from '../windows.js';

const closed = (concurrency: number): Load => ({ kind: 'closed', concurrency });
const open: Load = { kind: 'open', arrivals: { kind: 'constant', ratePerSecond: 1000 }, maxInFlight: 9 };

const plainOf = (report: LoadReport) => summaryOf(report, { hasColor: false });

/** Cells of the rows of the first table, the head's lines joined. */
function cellsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test.each([
  ['http', 'http://127.0.0.1:8000/', 'http 127.0.0.1:8000,'],
  ['grpc-stream', 'grpc://host:8001', 'grpc-stream host:8001,'],
  ['ws', 'wss://host', 'ws wss://host,'],
  ['in-process', '', 'in-process,'],
])('the title says where, over %s %s', (protocol, url, place) => {
  const report = reportOf([resultOf()], { server: { name: 'conch', version: '1', protocol, url } });
  expect(plainOf(report)).toContain(` on conch 1, ${place} batch size 1\n`);
});

test('remarks are in the order of the table, whatever was measured first', () => {
  const unstable = [1, 64, 32].map((concurrency) => resultOf({ load: closed(concurrency), isStable: false }));
  expect(plainOf(reportOf(unstable))).toContain('\nconcurrency 1, concurrency 32, concurrency 64: not stable: ');
});

test('a row for each load, in milliseconds, with what the server says', () => {
  const results = [
    resultOf({ load: closed(1), models: [shareOf()], process: { cpuCores: 0.61, memoryBytes: 1 } }),
    resultOf({ load: closed(16), throughput: 12_345.6, models: [shareOf({ executions: 100 })] }),
  ];
  const text = plainOf(reportOf(results, { best: 1 }));
  expect(text).toContain('simple (version 1) on conch 0.1.0, http localhost:8000, batch size 1\n');
  const [head, units, first, second] = cellsOf(text);
  expect(head).toEqual([
    'concurrency',
    'infer/s',
    'p50',
    'p90',
    'p95',
    'p99',
    'mean',
    'send+',
    'server',
    'server',
    'server',
    'server',
    'batch',
    'server',
  ]);
  expect(units!.slice(2)).toEqual([
    'ms',
    'ms',
    'ms',
    'ms',
    'ms',
    'receive',
    'queue',
    'input',
    'infer',
    'output',
    '',
    'cores',
  ]);
  expect(first).toEqual([
    '1',
    '1,000',
    '0.205',
    '0.205',
    '0.205',
    '0.205',
    '0.205',
    '0.036',
    '0.044',
    '0.001',
    '0.014',
    '0.000',
    '4.00',
    '0.610',
  ]);
  expect(second).toEqual([
    '16',
    '12,346',
    '0.205',
    '0.205',
    '0.205',
    '0.205',
    '0.205',
    '0.036',
    '0.044',
    '0.001',
    '0.014',
    '0.000',
    '10.0',
    '',
  ]);
  expect(text).toMatch(/Best: concurrency 16, 12,346 infer\/s, mean 0\.205 ms\.\n$/);
  expect(text).not.toContain('\u001b');
});

test('columns come with what fills them: errors, late requests, sequences, cache, answers of decoupled models', () => {
  const delay = distributionOf(histogramOf(2000), null);
  const result = resultOf({
    load: open,
    failures: [{ kind: 'HTTP 503', count: 1200, message: 'too busy' }],
    lateness: { late: 40, backlog: 2, delay },
    sequencesPerSecond: 50,
    models: [shareOf({ cacheHits: 3, cacheMisses: 1 })],
    firstResponse: delay,
    betweenResponses: delay,
  });
  const text = plainOf(reportOf([result]));
  const [head, , row] = cellsOf(text);
  const shown = Object.fromEntries(head!.map((name, i) => [name, row![i]]));
  expect(shown).toMatchObject({
    load: '1000/s',
    errors: '1,200',
    late: '40',
    'seq./s': '50.0',
    cache: '75 %',
    'answers/s': '1,000',
    first: '2.00',
  });
  expect(text).toContain(
    'load 1000/s: 40 of 2,200 requests left late, by 2.00 ms on average; 2 still waited at the end; their latency counts from when they were due.',
  );
  expect(text).toContain('load 1000/s: 1,200 requests failed with HTTP 503: too busy\n');
});

test('a rate whose requests waited for a free connection names the flag', () => {
  const delay = distributionOf(histogramOf(2000), null);
  const full = (maxInFlight: number, mean: number) => {
    const usual = resultOf({ load: { ...open, maxInFlight } });
    return { ...usual, latency: { ...usual.latency, mean }, lateness: { late: 1, backlog: 0, delay } };
  };
  // 1,000 requests of 8 ms in a second: 8 in flight on average.
  expect(plainOf(reportOf([full(8, 8000)]))).toContain(
    'load 1000/s: 8.00 of 8 connections were in use on average: --connections N allows more.\n',
  );
  expect(plainOf(reportOf([full(17, 8000)]))).not.toContain('--connections');
  const base = reportOf([full(8, 8000)]);
  const sequences = { ...base, model: { ...base.model, scheduler: 'sequence' } as const };
  expect(plainOf(sequences)).toContain('8.00 of 8 sequences had a step in flight on average: --num-of-sequences N');
});

test('the percentile that was asked for has a column; the limit and the best within it are named', () => {
  const results = [resultOf({ load: closed(1) }, 97.5), resultOf({ load: closed(2), throughput: 1 }, 97.5)];
  const report = reportOf(results, { percentile: 97.5, latencyLimitUs: 10_000, best: 0 });
  const text = plainOf(report);
  expect(cellsOf(text)[0]).toContain('p97.5');
  expect(text).toContain('Best within 10.0 ms (p97.5): concurrency 1, 1,000 infer/s, p97.5 0.205 ms.');
  expect(plainOf({ ...report, best: null })).toContain('No load was within 10.0 ms (p97.5).');
});

test('what is doubtful is said in sentences', () => {
  const busy = { sendUs: 1, receiveUs: 1, cpuUs: 1, utilization: 0.934 };
  const text = plainOf(reportOf([resultOf({ load: closed(3), isStable: false, client: busy })]));
  expect(text).toContain(
    'concurrency 3: not stable: three windows in a row never agreed in throughput and latency (mean);',
  );
  expect(text).toContain("concurrency 3: the load generator was 93 % busy: this may be its limit, not the server's");
});

test('a run that ended early says so, and which load was cut short', () => {
  const results = [1, 2, 3].map((concurrency) => resultOf({ load: closed(concurrency), isStable: false }));
  const text = plainOf(reportOf(results, { isPartial: true }));
  expect(text).toContain('Not all was measured: the run ended early.\n');
  expect(text).toContain('concurrency 1, concurrency 2: not stable: three windows');
  expect(text).toContain('concurrency 3: cut short, only 1.00 s were measured.');
});

test('rows grow with the load, and a load without good answers has no times', () => {
  const failures = [{ kind: 'timeout', count: 9, message: '' }];
  const dead = resultOf({
    load: closed(4),
    requests: 0,
    throughput: 0,
    isStable: false,
    failures,
    models: [shareOf({ requests: 0 })],
  });
  const results = [resultOf({ load: closed(1), models: [shareOf()] }), resultOf({ load: closed(16) }), dead];
  const text = plainOf(reportOf(results));
  const rows = cellsOf(text).slice(2);
  expect(rows.map(([load]) => load)).toEqual(['1', '4', '16']);
  expect(rows[1]).toEqual(['4', '0', ...new Array(11).fill(''), '9']);
  expect(text).not.toContain('not stable');
});

test('a good single load has no remarks, and nothing measured says so', () => {
  expect(
    plainOf(reportOf([resultOf()]))
      .trimEnd()
      .endsWith('┘'),
  ).toBe(true);
  expect(plainOf(reportOf([]))).toContain('Nothing was measured.');
});

test('models of an ensemble have a table of their own', () => {
  const models = [
    shareOf({ model: 'pipeline', executions: 0 }),
    shareOf({ model: 'step', inferences: 500, executions: 50 }),
  ];
  const rows = cellsOf(plainOf(reportOf([resultOf({ models })])));
  expect(rows.at(-1)).toEqual(['1', 'step', '500', '0.044', '0.001', '0.014', '0.000', '10.0']);
});

test('colors where the terminal has them', () => {
  expect(summaryOf(reportOf([resultOf()]), { hasColor: true })).toContain('\u001b[1m');
});
