import { readFile } from 'node:fs/promises';
import type { LoadReport } from '../report.js';

export const REPORT_FORMAT = 'conch-bench-1';

/** What `--json` writes. */
export function reportText(report: LoadReport): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}

/** A file that is no report; the message names it, the member, what was expected and what was found. */
export class ReportFileError extends Error {
  constructor(file: string, message: string) {
    super(`${file}: ${message}`);
    this.name = 'ReportFileError';
  }
}

/** Reads what `--json` wrote. Rejects with a `ReportFileError`. */
export async function readReport(file: string): Promise<LoadReport> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ReportFileError(file, `cannot be read: ${(error as Error).message}`);
  }
  return parseReport(file, text);
}

export function parseReport(file: string, text: string): LoadReport {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new ReportFileError(file, `is not JSON: ${(error as Error).message}`);
  }
  const wrong = checkDocument(document);
  if (wrong !== null) throw new ReportFileError(file, `${wrong}; expected what conch bench --json writes`);
  return document as LoadReport;
}

/** What a member must be; an object = an object with such members. */
type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'number or null'
  | 'array'
  | 'object'
  | { readonly [member: string]: Shape };

const distribution: Shape = {
  count: 'number',
  mean: 'number',
  deviation: 'number',
  min: 'number',
  max: 'number',
  percentiles: { 50: 'number', 90: 'number', 95: 'number', 99: 'number' },
  histogram: 'string',
};

const result: Shape = {
  load: { kind: 'string' },
  name: 'string',
  isStable: 'boolean',
  seconds: 'number',
  requests: 'number',
  throughput: 'number',
  responsesPerSecond: 'number',
  sequencesPerSecond: 'number',
  latency: distribution,
  failures: 'array',
  client: { sendUs: 'number', receiveUs: 'number', cpuUs: 'number', utilization: 'number' },
  models: 'array',
  timeline: 'array',
};

const report: Shape = {
  startedAt: 'string',
  label: 'string',
  command: 'string',
  server: { name: 'string', version: 'string', protocol: 'string', url: 'string' },
  model: { name: 'string', version: 'string', platform: 'string', scheduler: 'string', isDecoupled: 'boolean' },
  batchSize: 'number',
  percentile: 'number or null',
  latencyLimitUs: 'number or null',
  results: 'array',
  best: 'number or null',
  isPartial: 'boolean',
};

function checkDocument(document: unknown): string | null {
  const format = (document as { format?: unknown } | null)?.format;
  if (format !== REPORT_FORMAT) return `expected 'format' to be "${REPORT_FORMAT}", found ${shown(format)}`;
  const wrong = check('', document, report);
  if (wrong !== null) return wrong;
  const { results, percentile } = document as LoadReport;
  for (const [index, row] of results.entries()) {
    const problem = check(`results[${index}]`, row, result);
    if (problem !== null) return problem;
    const asked = percentile === null ? undefined : row.latency.percentiles[String(percentile)];
    if (percentile !== null && typeof asked !== 'number') return `results[${index}] lacks the percentile ${percentile}`;
  }
  return null;
}

function check(path: string, value: unknown, shape: Shape): string | null {
  if (typeof shape === 'string') {
    return fits(value, shape) ? null : `expected '${path}' to be ${articleOf(shape)} ${shape}, found ${shown(value)}`;
  }
  if (!fits(value, 'object')) return `expected '${path}' to be an object, found ${shown(value)}`;
  for (const [member, inner] of Object.entries(shape)) {
    const below = path === '' ? member : `${path}.${member}`;
    const wrong = check(below, (value as Record<string, unknown>)[member], inner);
    if (wrong !== null) return wrong;
  }
  return null;
}

function fits(value: unknown, shape: string): boolean {
  if (shape === 'array') return Array.isArray(value);
  if (shape === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (shape === 'number or null') return value === null || typeof value === 'number';
  return typeof value === shape;
}

function articleOf(shape: string): string {
  return shape === 'array' || shape === 'object' ? 'an' : 'a';
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
