import type { Histogram } from './histogram.js';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Label names to values; written in alphabetical order. */
export type Labels = Readonly<Record<string, string>>;

/** Takes the samples of one family while it is rendered. */
export interface Emit {
  value(labels: Labels, value: number): void;
  /** Bucket, sum and count lines. */
  histogram(labels: Labels, histogram: Histogram): void;
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
  readonly #families: MetricFamily[] = [];

  add(...families: readonly MetricFamily[]): void {
    this.#families.push(...families);
  }

  render(): string {
    return this.#families.map(renderFamily).join('');
  }
}

function renderFamily(family: MetricFamily): string {
  const lines: string[] = [];
  family.collect({
    value: (labels, value) => lines.push(`${family.name}${labelText(labels)} ${numberText(value)}\n`),
    histogram: (labels, histogram) => lines.push(...histogramLines(family.name, labels, histogram)),
  });
  if (lines.length === 0) return '';
  return `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n${lines.join('')}`;
}

function histogramLines(name: string, labels: Labels, histogram: Histogram): string[] {
  let below = 0;
  const buckets = Array.from(histogram.bounds, (bound, index) => {
    below += histogram.counts[index]!;
    return `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${below}\n`;
  });
  return [
    ...buckets,
    `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${histogram.count}\n`,
    `${name}_sum${labelText(labels)} ${numberText(histogram.sum)}\n`,
    `${name}_count${labelText(labels)} ${histogram.count}\n`,
  ];
}

function labelText(labels: Labels): string {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return '';
  return `{${names.map((name) => `${name}="${escapeLabel(labels[name]!)}"`).join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

/** Plain decimals: clients read some gauges with patterns that know no exponent. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  return Number.isFinite(value) && (Math.abs(value) < 1e-6 || Math.abs(value) >= 1e21)
    ? value.toFixed(9)
    : String(value);
}
