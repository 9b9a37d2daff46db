import type { LoadReport, LoadResult } from '../load/report.js';
import type { ComparedCell, Comparison } from './page/bench-data.js';

/** Loads of equal name side by side; ratios to the first report. Names in the order in which they come up first. */
export function compareReports(reports: readonly LoadReport[]): Comparison {
  const names = [...new Set(reports.flatMap(({ results }) => results.map(({ name }) => name)))];
  const rows = names.map((name) => {
    const found = reports.map(({ results }) => results.find((result) => result.name === name) ?? null);
    return { name, cells: found.map((result) => (result === null ? null : cell(result, found[0] ?? null))) };
  });
  const labels = distinctLabels(reports);
  return { labels, rows, notes: [...differences(reports, labels), ...lonelyLoads(rows, labels)] };
}

/** Labels as in the reports; those that are not unique get a number. */
export function distinctLabels(reports: readonly LoadReport[]): string[] {
  const labels = reports.map(({ label }) => label);
  return labels.map((label, index) =>
    labels.indexOf(label) === labels.lastIndexOf(label) ? label : `${label} (${index + 1})`,
  );
}

function cell(result: LoadResult, base: LoadResult | null): ComparedCell {
  const [p50Us, p99Us] = [percentile(result, '50'), percentile(result, '99')];
  return {
    throughput: result.throughput,
    p50Us,
    p99Us,
    throughputRatio: base === null ? null : ratio(result.throughput, base.throughput),
    p50Ratio: base === null ? null : ratio(p50Us, percentile(base, '50')),
    p99Ratio: base === null ? null : ratio(p99Us, percentile(base, '99')),
  };
}

function percentile({ latency }: LoadResult, name: string): number | null {
  return latency.count === 0 ? null : (latency.percentiles[name] ?? null);
}

function ratio(value: number | null, base: number | null): number | null {
  return value === null || base === null || value === 0 || base === 0 ? null : value / base;
}

/** What makes the numbers less comparable than they look. */
function differences(reports: readonly LoadReport[], labels: readonly string[]): string[] {
  const facts: readonly (readonly [string, (report: LoadReport) => string])[] = [
    ['models', ({ model }) => `${model.name} ${model.version}`],
    ['protocols', ({ server }) => server.protocol],
    ['batch sizes', ({ batchSize }) => String(batchSize)],
  ];
  return facts.flatMap(([what, fact]) => {
    if (new Set(reports.map(fact)).size === 1) return [];
    return `the ${what} differ: ${reports.map((report, index) => `${labels[index]} ${fact(report)}`).join(', ')}`;
  });
}

function lonelyLoads(rows: Comparison['rows'], labels: readonly string[]): string[] {
  const lonely = rows.filter(({ cells }) => cells.includes(null));
  return lonely.map(({ name, cells }) => {
    const measured = labels.filter((_, index) => cells[index] !== null);
    return `load ${name} was measured only in ${measured.join(', ')}`;
  });
}
