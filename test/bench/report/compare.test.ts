import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadReport } from '../../../bench/load/report.js';
import { runCompare } from '../../../bench/report/compare-command.js';
import { compareReports } from '../../../bench/report/comparison.js';
import { parseReport } from '../../../bench/report/read-report.js';
import { failedResult, sampleReport } from './sample.js';

const base = sampleReport({ label: 'conch' });
const slower = sampleReport({ label: 'triton', capacity: 3300, seed: 2, concurrencies: [1, 2, 4, 8, 16, 32, 64, 256] });

describe('reports side by side', () => {
  test('ratios are those to the first, load by load', () => {
    const { rows } = compareReports([base, slower]);
    const [first, second] = rows[3]!.cells;
    expect(rows[3]!.name).toBe('8');
    expect(first).toMatchObject({ throughputRatio: 1, p50Ratio: 1, p99Ratio: 1 });
    expect(second!.throughputRatio).toBe(slower.results[3]!.throughput / base.results[3]!.throughput);
    expect(second!.p99Ratio).toBe(
      slower.results[3]!.latency.percentiles['99']! / base.results[3]!.latency.percentiles['99']!,
    );
  });

  test('loads of one report alone have no ratio, and are noted', () => {
    const { rows, notes } = compareReports([base, slower]);
    expect(rows.at(-1)).toMatchObject({ name: '256', cells: [null, { throughputRatio: null, p99Ratio: null }] });
    expect(notes).toEqual(['load 128 was measured only in conch', 'load 256 was measured only in triton']);
  });

  test('other models, protocols and batch sizes are noted', () => {
    const other: LoadReport = {
      ...base,
      label: 'other',
      batchSize: 8,
      model: { ...base.model, name: 'dense' },
      server: { ...base.server, protocol: 'http' },
    };
    expect(compareReports([base, other]).notes).toEqual([
      'the models differ: conch resnet50 1, other dense 1',
      'the protocols differ: conch grpc, other http',
      'the batch sizes differ: conch 1, other 8',
    ]);
  });

  test('equal labels get numbers; a load that failed has no ratios', () => {
    const failed: LoadReport = { ...base, results: [failedResult(1)] };
    const { labels, rows } = compareReports([base, failed]);
    expect(labels).toEqual(['conch (1)', 'conch (2)']);
    expect(rows[0]!.cells[1]).toMatchObject({ throughput: 0, p50Us: null, throughputRatio: null, p50Ratio: null });
  });
});

describe('reading a report', () => {
  const text = (change: object) => JSON.stringify({ ...base, ...change });

  test('what was written is read', () => {
    expect(parseReport(JSON.stringify(base), 'a.json')).toEqual(base);
  });

  test.each([
    ['{', /^a\.json is not JSON .*conch bench --json/],
    ['[]', /^a\.json: field "format": expected "conch-bench-1", found none;/],
    [
      text({ format: 'conch-bench-2' }),
      /^a\.json: field "format": expected "conch-bench-1", found "conch-bench-2"; measure again/,
    ],
    [text({ results: {} }), /^a\.json: field "results": expected array, found object/],
    [text({ best: '0' }), /^a\.json: field "best": expected number or null, found string/],
    [
      text({ results: [{ ...base.results[0], client: { ...base.results[0]!.client, cpuUs: null } }] }),
      /^a\.json: field "results\[0\]\.client\.cpuUs": expected number, found null/,
    ],
    [text({ label: undefined }), /^a\.json: field "label": expected string, found nothing/],
    [
      text({ results: [base.results[0], { ...base.results[1], latency: { count: null } }] }),
      /^a\.json: field "results\[1\]\.latency\.count": expected number, found null/,
    ],
  ])('%.30s is refused by name', (content, message) => {
    expect(() => parseReport(content, 'a.json')).toThrow(expect.objectContaining({ name: 'ReportError' }));
    expect(() => parseReport(content, 'a.json')).toThrow(message);
  });
});

describe('conch bench compare', () => {
  let folder: string;
  const path = (name: string) => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'conch-compare-'));
    writeFileSync(path('a.json'), JSON.stringify(base));
    writeFileSync(path('b.json'), JSON.stringify(slower));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test('shows a row for each load and report, and the notes', async () => {
    const shown = await runCompare({ files: [path('a.json'), path('b.json')], html: null, colors: false });
    const rows = shown.split('\n').filter((line) => /│ (8|128) +│/.test(line));
    expect(
      rows.map((row) =>
        row
          .split('│')
          .map((cell) => cell.trim())
          .slice(1, 5),
      ),
    ).toEqual([
      ['8', 'conch', '3,601', ''],
      ['8', 'triton', expect.stringMatching(/^\d,\d{3}$/), expect.stringMatching(/^0\.\d\d×$/)],
      ['128', 'conch', '4,073', ''],
    ]);
    expect(shown).toContain('ratios to conch: more inferences/s is better, less latency is better\n');
    expect(shown).toContain('note: load 256 was measured only in triton\n');
    expect(shown).not.toContain('\u001b');
  });

  test('colours what is better and what is worse', async () => {
    const shown = await runCompare({ files: [path('b.json'), path('a.json')], html: null, colors: true });
    const green = shown
      .split('\u001b[32m')
      .slice(1)
      .map((rest) => rest.split('\u001b[39m')[0]);
    expect(green).toEqual(
      expect.arrayContaining([expect.stringMatching(/^1\.2\d×$/), expect.stringMatching(/^0\.\d\d×$/)]),
    );
    expect(shown).not.toContain('\u001b[31m');
  });

  test('writes the page that is asked for', async () => {
    await runCompare({ files: [path('a.json'), path('b.json')], html: path('page.html'), colors: false });
    expect(readFileSync(path('page.html'), 'utf8')).toContain('<title>conch vs triton · conch bench</title>');
  });

  test('says what is wrong with the files', async () => {
    const compare = (files: string[], html: string | null = null) => runCompare({ files, html, colors: false });
    await expect(compare([path('a.json')])).rejects.toThrow(/two or more reports are expected, found 1/);
    await expect(compare([path('a.json'), path('none.json')])).rejects.toThrow(/none\.json cannot be read: ENOENT/);
    await expect(compare([path('a.json'), path('b.json')], path('b.json'))).rejects.toThrow(
      `--html ${path('b.json')} is one of the reports: the page would replace it`,
    );
    await expect(compare([path('a.json'), path('b.json')], path('no/page.html'))).rejects.toThrow(
      /page\.html cannot be written: ENOENT/,
    );
  });
});
