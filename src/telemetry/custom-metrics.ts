import { Buckets, Histogram } from './histogram.js';
import type { Labels, MetricFamily } from './metrics.js';

/** One series that the code of a model keeps. */
export interface CustomMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: Labels;
  /** Of a histogram: upper bounds, ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** The value; of a histogram the sum, then one count per bucket, the last for +Inf. Written by the instance, read by whoever renders. */
  readonly places: Float64Array;
}

/** One series, kept by all instances of a model together. */
interface Series {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  /** Of these bounds; null = it is no histogram. */
  readonly buckets: Buckets | null;
  /** Of lives of instances that are over. */
  readonly past: Float64Array;
  /** By instance. */
  readonly live: Map<string, Float64Array>;
}

interface Family {
  readonly help: string;
  readonly type: CustomMetric['type'];
  readonly series: Map<string, Series>;
}

/** The metrics that the code of one model version keeps. Counters and histograms of its instances are added up, gauges are told apart. */
export class CustomMetrics {
  readonly families: ReadonlyMap<string, Family>;
  readonly #families = new Map<string, Family>();

  constructor() {
    this.families = this.#families;
  }

  /** False = other series of this name have another type, or other bounds. */
  add(metric: CustomMetric, instance: string): boolean {
    const { name, help, type, bounds, places } = metric;
    const family = this.#families.get(name) ?? { help, type, series: new Map<string, Series>() };
    if (family.type !== type) return false;
    const labels = type === 'gauge' ? { ...metric.labels, instance } : metric.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    const series = family.series.get(key) ?? newSeries(metric, labels);
    if (String(series.bounds) !== String(bounds)) return false;
    this.#families.set(name, family);
    family.series.set(key, series);
    const before = series.live.get(instance);
    // A new life of the instance begins at 0; what its gauges said is not so any more.
    if (before !== undefined && type !== 'gauge') addUp(series.past, before);
    series.live.set(instance, places);
    return true;
  }
}

/** A model version with metrics of its own. */
export interface CustomMetered {
  /** That say whose they are. */
  readonly labels: Labels;
  readonly metrics: CustomMetrics;
}

/** The families of all models. Where two have a name for different types, the first has it. */
export function customFamilies(models: readonly CustomMetered[]): MetricFamily[] {
  const heads = new Map<string, Family>();
  for (const { metrics } of models) {
    for (const [name, family] of metrics.families) if (!heads.has(name)) heads.set(name, family);
  }
  return [...heads].map(([name, { help, type }]) => ({
    name,
    help,
    type,
    collect: (emit) => {
      for (const { labels, metrics } of models) {
        const family = metrics.families.get(name);
        if (family?.type !== type) continue;
        for (const series of family.series.values()) {
          const all = { ...series.labels, ...labels };
          const places = totalOf(series);
          if (series.buckets !== null) emit.histogram(all, new Histogram(series.buckets, 1, places));
          else emit.value(all, places[0]!);
        }
      }
    },
  }));
}

function newSeries({ type, bounds, places }: CustomMetric, labels: Labels): Series {
  const buckets = type === 'histogram' ? new Buckets(bounds) : null;
  return { labels, bounds, buckets, past: new Float64Array(places.length), live: new Map() };
}

function totalOf({ past, live }: Series): Float64Array<ArrayBuffer> {
  const total = Float64Array.from(past);
  for (const places of live.values()) addUp(total, places);
  return total;
}

function addUp(total: Float64Array, places: Float64Array): void {
  for (let index = 0; index < total.length; index++) total[index]! += places[index]!;
}
