import { expect, test } from 'vitest';
import {
  comparisonTable,
  contenderTable,
  type SuiteResult,
  suiteReport,
  tableMarkdown,
  tableText,
} from '../../../bench/core/report.js';

const sample = (rate: number, p50Us: number | null) => ({ rate, p50Us, p99Us: p50Us, cpuUs: 10 });

const result: SuiteResult = {
  name: 'simple-64',
  samples: new Map([
    ['uws', [sample(800, 200), sample(900, 100), sample(600, 300)]],
    ['limit', [sample(1000, 100), sample(1000, 100), sample(1000, 100)]],
    ['loop', [sample(5000, null), sample(5000, null), sample(5000, null)]],
  ]),
  comparisons: [
    { label: 'rate', of: 'uws', to: 'limit', value: 'rate', target: { is: 'at least', value: 0.7 } },
    { label: 'latency', of: 'uws', to: 'limit', value: 'p50Us', target: { is: 'at most', value: 1.5 } },
    { label: 'printed only', of: 'limit', to: 'uws', value: 'rate', target: null },
  ],
  facts: [{ label: 'memory', value: 1234.5, unit: 'MiB', target: null }],
};

test('a contender is shown with its own figures, blank where it has none', () => {
  expect(contenderTable(result).rows).toEqual([
    ['uws', '800 [700, 850]', '200', '200', '10.0'],
    ['limit', '1,000 [1,000, 1,000]', '100', '100', '10.0'],
    ['loop', '5,000 [5,000, 5,000]', '', '', '10.0'],
  ]);
});

test('a comparison is the median of the ratios of the rounds, held against its target', () => {
  expect(comparisonTable(result).rows).toEqual([
    ['rate', '0.80 [0.70, 0.85]', 'at least 0.7', 'yes'],
    ['latency', '2.00 [1.50, 2.50]', 'at most 1.5', 'NO'],
    ['printed only', '1.25 [1.18, 1.46]', '', ''],
    ['memory', '1,235 MiB', '', ''],
  ]);
});

test('a table is text with aligned columns, or markdown', () => {
  const table = { header: ['a', 'long'], rows: [['wide cell', 'b']] };
  expect(tableText(table)).toBe('a          long\n---------  ----\nwide cell  b');
  expect(tableMarkdown(table)).toBe('| a | long |\n| --- | --- |\n| wide cell | b |');
});

test('a suite without contenders has one table', () => {
  const facts: SuiteResult = { ...result, samples: new Map(), comparisons: [] };
  expect(suiteReport(facts, tableMarkdown).split('\n\n')).toHaveLength(1);
});
