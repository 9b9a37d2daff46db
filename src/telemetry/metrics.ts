import { assert } from '../base/assert.js';
import type { Histogram } from './histogram.js';
import type { Summary } from './summary.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';

/** Label names to values; written in alphabetical order. */
export type Labels = Readonly<Record<string, string>>;

/** Takes the samples of one family while it is rendered. */
export interface Emit {
  value(labels: Labels, value: number): void;
  /** Bucket, sum and count lines. */
  histogram(labels: Labels, histogram: Histogram): void;
  /** Quantile, sum and count lines; `nowUs` by the clock that the summary is observed with. */
  summary(labels: Labels, summary: Summary, nowUs: number): void;
}

/** A metric with all its series; `collect` is called on each scrape and reads counters that live elsewhere. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  collect(emit: Emit): void;
}

/** The families of the server, rendered on scrape as Prometheus text 0.0.4. A family without series prints nothing. */
export class MetricRegistry {
  readonly #families = new Map<string, MetricFamily>();
  readonly #sources: (() => readonly MetricFamily[])[] = [];

  /** Families that come and go, asked for on each scrape and written behind all others. */
  addSource(source: () => readonly MetricFamily[]): void {
    this.#sources.push(source);
  }

  /** Families are written in the order they are added. */
  add(...families: readonly MetricFamily[]): void {
    for (const family of families) {
      assert(!this.#families.has(family.name), `metric '${family.name}' was added twice`);
      this.#families.set(family.name, family);
    }
  }

  render(): string {
    const others = this.#sources.flatMap((source) => source()).filter(({ name }) => !this.#families.has(name));
    return [...this.#families.values(), ...others].map(renderFamily).join('');
  }
}

/** A label's name from any text: what the format does not allow becomes `_`. */
export function labelName(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9]|$)/, '_');
}

function renderFamily({ name, help, type, collect }: MetricFamily): string {
  const lines: string[] = [];
  collect({
    value: (labels, value) => lines.push(line(name, labelText(labels), value)),
    histogram: (labels, histogram) => writeHistogram(lines, name, labelText(labels), histogram),
    summary: (labels, summary, nowUs) => writeSummary(lines, name, labelText(labels), summary, nowUs),
  });
  if (lines.length === 0) return '';
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function writeHistogram(lines: string[], name: string, labels: string, histogram: Histogram): void {
  const { buckets, perUnit } = histogram;
  let below = 0;
  for (let bucket = 0; bucket < buckets.count; bucket++) {
    const bound = (buckets.bounds[bucket] ?? Number.POSITIVE_INFINITY) / perUnit;
    below += histogram.countOf(bucket);
    lines.push(line(`${name}_bucket`, withLast(labels, 'le', bound), below));
  }
  writeTotals(lines, name, labels, histogram.sum / perUnit, below);
}

function writeSummary(lines: string[], name: string, labels: string, summary: Summary, nowUs: number): void {
  const values = summary.values(nowUs);
  for (const [index, quantile] of summary.quantiles.entries()) {
    lines.push(line(name, withLast(labels, 'quantile', quantile), values[index]!));
  }
  writeTotals(lines, name, labels, summary.sum, summary.count);
}

function writeTotals(lines: string[], name: string, labels: string, sum: number, count: number): void {
  lines.push(line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count));
}

/** `labels` are without their braces. */
function line(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`;
}

function labelText(labels: Labels): string {
  const names = Object.keys(labels).sort();
  return names.map((name) => `${name}="${escapeLabel(labels[name]!)}"`).join(',');
}

/** `le` and `quantile` stand behind the labels of the series, as Triton writes them. */
function withLast(labels: string, name: string, value: number): string {
  const last = `${name}="${numberText(value)}"`;
  return labels === '' ? last : `${labels},${last}`;
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

/** Plain decimals: clients read some gauges with patterns that know no exponent. Below 1e-6 to twelve places. */
function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return value === 0 ? '0' : String(value);
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  return Math.abs(value) < 1e-6 ? value.toFixed(12) : String(value);
}
