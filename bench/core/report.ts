import { type Quartiles, quartiles, ratios, type Sample } from './rounds.js';

/** A ratio that was promised: `of` divided by `to`, round by round. */
export interface Comparison {
  readonly label: string;
  readonly of: string;
  readonly to: string;
  readonly value: 'rate' | 'p50Us' | 'p99Us' | 'cpuUs';
  /** null = printed only. */
  readonly target: Target | null;
}

export interface Target {
  readonly is: 'at least' | 'at most';
  readonly value: number;
}

/** A figure that is no ratio of two contenders. */
export interface Fact {
  readonly label: string;
  readonly value: number;
  readonly unit: string;
  readonly target: Target | null;
}

export interface SuiteResult {
  readonly name: string;
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly comparisons: readonly Comparison[];
  readonly facts: readonly Fact[];
}

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function reaches(value: number, target: Target): boolean {
  return target.is === 'at least' ? value >= target.value : value <= target.value;
}

/** What each contender did by itself. */
export function contenderTable(result: SuiteResult): Table {
  const rows = [...result.samples].map(([name, samples]) => [
    name,
    spread(quartiles(samples.map(({ rate }) => rate)), whole),
    medianOf(samples.map(({ p50Us }) => p50Us)),
    medianOf(samples.map(({ p99Us }) => p99Us)),
    quartiles(samples.map(({ cpuUs }) => cpuUs)).median.toFixed(1),
  ]);
  return { header: ['contender', 'per second', 'p50 us', 'p99 us', 'CPU us each'], rows };
}

/** What was promised, and whether it was kept. */
export function comparisonTable(result: SuiteResult): Table {
  const compared = result.comparisons.map((comparison) => {
    const ratio = compare(result.samples, comparison);
    return [comparison.label, spread(ratio, hundredths), ...verdict(ratio.median, comparison.target)];
  });
  const facts = result.facts.map(({ label, value, unit, target }) => [
    label,
    `${short(value)} ${unit}`.trim(),
    ...verdict(value, target),
  ]);
  return { header: ['figure', 'median [quartiles]', 'target', 'reached'], rows: [...compared, ...facts] };
}

function compare(samples: SuiteResult['samples'], { of, to, value }: Comparison): Quartiles {
  const values = (name: string) => samples.get(name)!.map((sample) => sample[value] ?? Number.NaN);
  return quartiles(ratios(values(of), values(to)));
}

function verdict(value: number, target: Target | null): [string, string] {
  if (target === null) return ['', ''];
  return [`${target.is} ${short(target.value)}`, reaches(value, target) ? 'yes' : 'NO'];
}

function medianOf(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? '' : whole(quartiles(known).median);
}

function spread({ low, median, high }: Quartiles, print: (value: number) => string): string {
  return `${print(median)} [${print(low)}, ${print(high)}]`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function hundredths(value: number): string {
  return value.toFixed(2);
}

function short(value: number): string {
  return value >= 100 ? whole(value) : String(Number(value.toFixed(2)));
}

/** Columns padded with blanks, for a terminal. */
export function tableText({ header, rows }: Table): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function tableMarkdown({ header, rows }: Table): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Both tables of a suite, without those that have no rows. */
export function suiteReport(result: SuiteResult, print: (table: Table) => string): string {
  const tables = [contenderTable(result), comparisonTable(result)].filter(({ rows }) => rows.length > 0);
  return tables.map(print).join('\n\n');
}
