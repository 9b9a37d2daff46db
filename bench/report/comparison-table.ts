import Table from 'cli-table3';
import type { ComparedCell, Comparison } from './page/bench-data.js';
import { durationText, numberText, ratioText } from './page/format.js';

/** For a terminal: a row for each load and report, with ratios to the first report, and the notes below. */
export function comparisonTable({ labels, rows, notes }: Comparison, { colors }: { readonly colors: boolean }): string {
  const table = new Table({
    head: ['load', 'report', 'inferences/s', 'ratio', 'p50', 'ratio', 'p99', 'ratio'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, cells } of rows) {
    for (const [index, cell] of cells.entries()) {
      if (cell !== null) table.push([name, labels[index]!, ...cellTexts(cell, { isBase: index === 0, colors })]);
    }
  }
  const noted = notes.map((note) => `note: ${note}\n`);
  return `${table.toString()}\nratios to ${labels[0]}: more inferences/s is better, less latency is better\n${noted.join('')}`;
}

function cellTexts(cell: ComparedCell, { isBase, colors }: { isBase: boolean; colors: boolean }): string[] {
  const ratio = (value: number | null, better: 'more' | 'less') => {
    if (isBase || value === null) return '';
    return colors ? coloured(ratioText(value), better === 'more' ? value - 1 : 1 - value) : ratioText(value);
  };
  const duration = (us: number | null) => (us === null ? '-' : durationText(us));
  return [
    numberText(cell.throughput),
    ratio(cell.throughputRatio, 'more'),
    duration(cell.p50Us),
    ratio(cell.p50Ratio, 'less'),
    duration(cell.p99Us),
    ratio(cell.p99Ratio, 'less'),
  ];
}

/** Smaller differences are the noise of any measurement. */
const NOTEWORTHY = 0.03;

function coloured(text: string, gain: number): string {
  if (Math.abs(gain) < NOTEWORTHY) return text;
  return `\u001b[${gain > 0 ? 32 : 31}m${text}\u001b[39m`;
}
