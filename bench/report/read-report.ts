import { readFile } from 'node:fs/promises';
import type { LoadReport } from '../load/report.js';

/** A file that is not the report of a load test, or one that cannot be compared. The message says which, where and what to do. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}

const FORMAT: LoadReport['format'] = 'conch-bench-1';

/** What `conch bench --json FILE` wrote. Throws ReportError. */
export async function readReport(path: string): Promise<LoadReport> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ReportError(`${path} cannot be read: ${(error as Error).message}`);
  }
  return parseReport(text, path);
}

/** `name` is what messages call it. Throws ReportError. */
export function parseReport(text: string, name: string): LoadReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ReportError(
      `${name} is not JSON (${(error as Error).message}); a file that conch bench --json wrote is expected`,
    );
  }
  const format = field(value, 'format');
  if (format !== FORMAT) {
    const found = format === undefined ? 'none' : JSON.stringify(format);
    throw new ReportError(
      `${name}: field "format": expected "${FORMAT}", found ${found}; measure again with conch bench --json of this version`,
    );
  }
  for (const [path, kind] of shape) expectKind(value, path.split('.'), kind, name, '');
  return value as LoadReport;
}

type Kind = 'string' | 'number' | 'boolean' | 'number or null' | 'array' | 'object';

/** What the page and the comparison could not do without; `*` = each element. */
const shape: readonly (readonly [path: string, kind: Kind])[] = [
  ['label', 'string'],
  ['startedAt', 'string'],
  ['command', 'string'],
  ['batchSize', 'number'],
  ['percentile', 'number or null'],
  ['latencyLimitUs', 'number or null'],
  ['best', 'number or null'],
  ['isPartial', 'boolean'],
  ['server', 'object'],
  ['server.name', 'string'],
  ['server.version', 'string'],
  ['server.protocol', 'string'],
  ['server.url', 'string'],
  ['model', 'object'],
  ['model.name', 'string'],
  ['model.version', 'string'],
  ['model.platform', 'string'],
  ['model.scheduler', 'string'],
  ['results', 'array'],
  ['results.*.load', 'object'],
  ['results.*.name', 'string'],
  ['results.*.isStable', 'boolean'],
  ['results.*.seconds', 'number'],
  ['results.*.requests', 'number'],
  ['results.*.throughput', 'number'],
  ['results.*.responsesPerSecond', 'number'],
  ['results.*.sequencesPerSecond', 'number'],
  ['results.*.latency', 'object'],
  ['results.*.latency.count', 'number'],
  ['results.*.latency.mean', 'number'],
  ['results.*.latency.deviation', 'number'],
  ['results.*.latency.min', 'number'],
  ['results.*.latency.max', 'number'],
  ['results.*.latency.percentiles', 'object'],
  ['results.*.latency.histogram', 'string'],
  ['results.*.failures', 'array'],
  ['results.*.client', 'object'],
  ['results.*.client.sendUs', 'number'],
  ['results.*.client.receiveUs', 'number'],
  ['results.*.client.cpuUs', 'number'],
  ['results.*.client.utilization', 'number'],
  ['results.*.models', 'array'],
  ['results.*.timeline', 'array'],
];

function expectKind(value: unknown, steps: readonly string[], kind: Kind, name: string, where: string): void {
  const [step, ...rest] = steps;
  if (step === undefined) {
    const found = kindOf(value);
    if (!kind.split(' or ').includes(found))
      throw new ReportError(`${name}: field "${where}": expected ${kind}, found ${found}`);
  } else if (step === '*') {
    for (const [index, element] of (value as unknown[]).entries())
      expectKind(element, rest, kind, name, `${where}[${index}]`);
  } else {
    expectKind(field(value, step), rest, kind, name, where === '' ? step : `${where}.${step}`);
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
}
