import type { MessagePort } from 'node:worker_threads';
import type { MetricMessage } from '../../src/backends/channel-protocol.js';
import type { Counter, Gauge, HistogramMetric, ModelMetrics } from './model-api.js';

/** Series of one instance: each is kept and scraped for as long as its model is loaded. */
const MOST_SERIES = 1000;
const METRIC_NAME = /^(?!nv_|conch_)[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
/** What the server says of each series itself. */
const SERVER_LABELS = ['model', 'version', 'instance', 'le', 'quantile'];
/** Of durations in seconds. */
const USUAL_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Labels = Readonly<Record<string, string>>;
type Described = Pick<MetricMessage, 'name' | 'help' | 'type' | 'bounds'>;

/** The metrics of one instance: values in memory that the main thread reads when it is asked for metrics. */
export class InstanceMetrics implements ModelMetrics {
  readonly #port: MessagePort;
  readonly #series = new Map<string, Float64Array>();
  readonly #described = new Map<string, Described>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const places = this.#places({ name, help, type: 'counter', bounds: [] }, labels);
    return {
      increment: (by = 1) => {
        if (!(by >= 0)) throw new RangeError(`counter '${name}': expected a number from 0 on, found ${by}`);
        places[0]! += by;
      },
    };
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const places = this.#places({ name, help, type: 'gauge', bounds: [] }, labels);
    return {
      set: (value) => {
        places[0] = value;
      },
      add: (by) => {
        places[0]! += by;
      },
    };
  }

  histogram(
    name: string,
    help: string,
    labels: Labels = {},
    bounds: readonly number[] = USUAL_BOUNDS,
  ): HistogramMetric {
    if (bounds.length === 0 || !bounds.every((bound, index) => index === 0 || bound > bounds[index - 1]!)) {
      throw new RangeError(`histogram '${name}': expected ascending bounds, found [${bounds.join(', ')}]`);
    }
    const places = this.#places({ name, help, type: 'histogram', bounds: [...bounds] }, labels);
    return {
      observe: (value) => {
        const above = bounds.findIndex((bound) => value <= bound);
        places[0]! += value;
        places[1 + (above < 0 ? bounds.length : above)]! += 1;
      },
    };
  }

  /** The same series is kept once, however often it is asked for. */
  #places(described: Described, labels: Labels): Float64Array {
    this.#check(described, labels);
    const { name, type, bounds } = described;
    const key = JSON.stringify([name, Object.entries(labels).sort()]);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size === MOST_SERIES) {
      throw new RangeError(`metric '${name}': an instance can have ${MOST_SERIES} series, and has them`);
    }
    const count = type === 'histogram' ? bounds.length + 2 : 1;
    const places = new Float64Array(new SharedArrayBuffer(count * 8));
    this.#series.set(key, places);
    this.#described.set(name, described);
    this.#port.postMessage({ kind: 'metric', ...described, labels: { ...labels }, places } satisfies MetricMessage);
    return places;
  }

  #check(described: Described, labels: Labels): void {
    const { name, type, bounds } = described;
    if (!METRIC_NAME.test(name)) {
      throw new TypeError(
        `metric '${name}': expected a name of letters, digits and _ that does not begin with nv_ or conch_`,
      );
    }
    for (const label of Object.keys(labels)) {
      if (LABEL_NAME.test(label) && !SERVER_LABELS.includes(label)) continue;
      throw new TypeError(
        `metric '${name}' has a label '${label}': expected a name of letters, digits and _, and none of ${SERVER_LABELS.join(', ')}`,
      );
    }
    const before = this.#described.get(name) ?? described;
    if (before.type === type && String(before.bounds) === String(bounds)) return;
    throw new TypeError(`metric '${name}' is a ${before.type} already, with other bounds or of another type`);
  }
}
