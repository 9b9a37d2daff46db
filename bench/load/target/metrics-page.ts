/** One line of a page of metrics. */
export interface MetricSample {
  /** With labels, as on the page: `nv_gpu_utilization{gpu_uuid="GPU-1"}`. */
  readonly series: string;
  readonly type: 'gauge' | 'counter';
  readonly value: number;
}

const TYPE_LINE = /^# TYPE (\S+) (\S+)$/;
/** Name, labels (whose values are quoted, and may hold anything), value; a timestamp or an exemplar may follow. */
const SAMPLE_LINE = /^([A-Za-z_:][A-Za-z0-9_:]*)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s+(\S+)/;

/**
 * The gauges and counters of a page in Prometheus' text format 0.0.4, or OpenMetrics; what has no type counts as a gauge. Histograms and
 * summaries are left out, and so are values that are no finite numbers. Throws an Error that quotes the line that cannot be read.
 */
export function parseMetricsPage(page: string): MetricSample[] {
  const types = new Map<string, string>();
  const samples: MetricSample[] = [];
  for (const line of page.split('\n').map((text) => text.trim())) {
    const [, family, type] = TYPE_LINE.exec(line) ?? [];
    if (family !== undefined) types.set(family, type!);
    if (line === '' || line.startsWith('#')) continue;
    const sample = parseSample(line, types);
    if (sample !== null) samples.push(sample);
  }
  return samples;
}

/** null = it is none of those that are of use. */
function parseSample(line: string, types: ReadonlyMap<string, string>): MetricSample | null {
  const match = SAMPLE_LINE.exec(line);
  if (match === null) throw new Error(`this is no line of a page of metrics: '${line.slice(0, 200)}'`);
  const [, name, labels = '', text] = match;
  const value = Number(text);
  const type = typeOf(name!, types);
  if (type === null || !Number.isFinite(value)) return null;
  return { series: `${name}${labels}`, type, value };
}

function typeOf(name: string, types: ReadonlyMap<string, string>): MetricSample['type'] | null {
  const type = types.get(name) ?? familyType(name, types);
  if (type === 'counter') return 'counter';
  return type === undefined || type === 'gauge' || type === 'untyped' || type === 'unknown' ? 'gauge' : null;
}

/** Samples of histograms, summaries and OpenMetrics' counters are called by their family and an ending. */
function familyType(name: string, types: ReadonlyMap<string, string>): string | undefined {
  const family = name.replace(/_(bucket|sum|count|total|created)$/, '');
  const type = family === name ? undefined : types.get(family);
  return name.endsWith('_created') && type !== undefined ? 'created' : type;
}
