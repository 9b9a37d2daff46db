import { type Table, tableText } from '../core/report.js';
import { quartiles } from '../core/rounds.js';
import { type Ratio, ratioOf, verdictOf } from './ratio.js';
import type { Comparison, Figure, Skipped } from './rounds.js';

function short(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 10 ? 1 : 2);
}

function spread({ mean, low, high }: Ratio): string {
  return `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function figureRow({ name, unit, better, a, b }: Figure): string[] {
  const ratio = ratioOf(a, b);
  const medians = [a, b].map((values) => short(quartiles(values).median));
  return [name, unit, ...medians, spread(ratio), verdictOf(ratio, better)];
}

/** A line for each figure; ratios are B through A with their interval of 95 %. */
export function comparisonTable(figures: readonly Figure[]): Table {
  return {
    header: ['figure', 'unit', 'median A', 'median B', 'B / A [95 %]', 'B is'],
    rows: figures.map(figureRow),
  };
}

export function skippedTable(skipped: readonly Skipped[]): Table {
  return { header: ['not compared', 'why'], rows: skipped.map(({ name, reason }) => [name, reason]) };
}

/** All of it, without tables that have no rows. */
export function comparisonText({ figures, skipped }: Comparison): string {
  const tables = [comparisonTable(figures), skippedTable(skipped)].filter(({ rows }) => rows.length > 0);
  return tables.map(tableText).join('\n\n');
}
