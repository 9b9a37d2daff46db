import { relative } from 'node:path';
import { count, type Finding, type Severity } from './finding.js';

export interface ReportSettings {
  /** Files below it are shown relative to it. */
  readonly workingDirectory: string;
  readonly colors: boolean;
}

export interface Report {
  readonly models: number;
  readonly findings: readonly Finding[];
  /** What `--fix` took away. */
  readonly fixed: readonly Finding[];
}

const paint: Readonly<Record<Severity | 'dim' | 'fixed', number>> = {
  error: 31,
  warning: 33,
  hint: 36,
  dim: 2,
  fixed: 32,
};

/** For people, and for editors and CI that read `file:line:column: severity: text`. */
export function reportText(report: Report, settings: ReportSettings): string {
  const lines = [
    ...report.fixed.map((finding) => headline(finding, 'fixed', settings)),
    ...report.findings.map((finding) => findingText(finding, settings)),
    summary(report),
  ];
  return `${lines.join('\n')}\n`;
}

function findingText(finding: Finding, settings: ReportSettings): string {
  const { found, expected, fix, edits } = finding;
  const parts = [
    ...(found === '' ? [] : [`  found     ${found}`]),
    `  expected  ${expected}`,
    `  fix       ${fix}${edits.length > 0 ? ' (--fix does it)' : ''}`,
  ];
  return [headline(finding, finding.severity, settings), ...parts].join('\n');
}

function headline(finding: Finding, word: Severity | 'fixed', settings: ReportSettings): string {
  const { line, column, field, message, rule } = finding;
  const subject = field === '' ? '' : `${field}: `;
  const place = `${shownPath(finding.file, settings)}:${line}:${column}`;
  return `${place}: ${color(word, word, settings)}: ${subject}${message} ${color(`[${rule}]`, 'dim', settings)}`;
}

function color(text: string, kind: keyof typeof paint, { colors }: ReportSettings): string {
  return colors ? `\u001b[${paint[kind]}m${text}\u001b[0m` : text;
}

function shownPath(file: string, { workingDirectory }: ReportSettings): string {
  const path = relative(workingDirectory, file);
  return path === '' || path.startsWith('..') ? file : path;
}

/** `2 models: 1 error, no warnings, 3 hints; 1 can be fixed with --fix`. */
function summary({ models, findings, fixed }: Report): string {
  const counts = (['error', 'warning', 'hint'] as const).map((severity) => many(count(findings, severity), severity));
  const fixable = findings.filter(({ edits }) => edits.length > 0).length;
  const ends = [
    ...(fixed.length > 0 ? [`${fixed.length} fixed`] : []),
    ...(fixable > 0 ? [`${fixable} can be fixed with --fix`] : []),
  ];
  return [`${many(models, 'model')}: ${counts.join(', ')}`, ...ends].join('; ');
}

function many(number: number, noun: string): string {
  return `${number === 0 ? 'no' : number} ${noun}${number === 1 ? '' : 's'}`;
}

/** For machines: one document. Paths are absolute. */
export function reportJson({ models, findings, fixed }: Report): string {
  const plain = ({ edits, ...finding }: Finding) => ({ ...finding, fixable: edits.length > 0 });
  const counts = {
    models,
    errors: count(findings, 'error'),
    warnings: count(findings, 'warning'),
    hints: count(findings, 'hint'),
  };
  return `${JSON.stringify({ ...counts, findings: findings.map(plain), fixed: fixed.map(plain) }, null, 2)}\n`;
}
