import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReport, readReport, reportText } from '../../../../bench/load/print/report-file.js';
import { reportOf, resultOf, shareOf } from '../reports.js';

const report = reportOf([resultOf({ models: [shareOf()] }, 97)], { percentile: 97 });

test('what is written is read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'report-'));
  try {
    const file = join(folder, 'a.json');
    await writeFile(file, reportText(report));
    expect(await readReport(file)).toEqual(report);
    await expect(readReport(join(folder, 'b.json'))).rejects.toThrow(/b\.json: cannot be read: ENOENT/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** The report with a member, by its path, set to something else; undefined = taken away. */
function changed(path: string, value: unknown): string {
  const copy = JSON.parse(reportText(report));
  const names = path.split('.');
  const last = names.pop()!;
  const owner = names.reduce((object, name) => object[name], copy);
  owner[last] = value;
  return JSON.stringify(copy);
}

test.each([
  ['format', 'conch-bench-2', `a: expected 'format' to be "conch-bench-1", found "conch-bench-2"`],
  ['format', undefined, `a: expected 'format' to be "conch-bench-1", found nothing`],
  ['results', {}, "a: expected 'results' to be an array, found {}"],
  ['server', null, "a: expected 'server' to be an object, found null"],
  ['model.name', 3, "a: expected 'model.name' to be a string, found 3"],
  ['best', '0', `a: expected 'best' to be a number or null, found "0"`],
  ['results.0.throughput', undefined, "a: expected 'results[0].throughput' to be a number, found nothing"],
  [
    'results.0.latency.percentiles.99',
    null,
    "a: expected 'results[0].latency.percentiles.99' to be a number, found null",
  ],
  ['percentile', 96, 'a: results[0] lacks the percentile 96'],
])('%s = %j is refused by name', (path, value, message) => {
  expect(() => parseReport('a', changed(path, value))).toThrow(message);
});

test.each([['{'], ['3'], ['null'], ['[]'], ['']])('%j is no report', (text) => {
  expect(() => parseReport('a', text)).toThrow(/^a: (is not JSON|expected 'format')/);
});
