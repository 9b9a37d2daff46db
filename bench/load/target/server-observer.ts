import type { Look, MetricSamples, Observer } from '../measure/observer.js';
import type { LoadOptions } from '../options.js';
import { MetricsSampler, parseMetricsUrl } from './metrics-sampler.js';
import { ProcessSampler } from './process-sampler.js';
import type { ModelCounters, Target, TargetModel } from './target.js';

/** Looks at a server, and at what of it can be seen on this machine. */
export class ServerObserver implements Observer {
  readonly #target: Target;
  readonly #model: TargetModel;
  readonly #process: ProcessSampler | null;
  readonly #metrics: MetricsSampler | null;

  private constructor(
    target: Target,
    model: TargetModel,
    process: ProcessSampler | null,
    metrics: MetricsSampler | null,
  ) {
    this.#target = target;
    this.#model = model;
    this.#process = process;
    this.#metrics = metrics;
  }

  /** Rejects where `--collect-metrics` finds no page. */
  static async open(
    { metrics, headers }: LoadOptions,
    { host, port }: { readonly host: string; readonly port: number },
    target: Target,
    model: TargetModel,
  ): Promise<ServerObserver> {
    let sampler: MetricsSampler | null = null;
    if (metrics !== null) {
      sampler = new MetricsSampler(parseMetricsUrl(metrics.url, host), headers, metrics.intervalMs);
      await sampler.start();
    }
    return new ServerObserver(target, model, await ProcessSampler.find(host, port), sampler);
  }

  /** Looks at its statistics alone. */
  static ofTarget(target: Target, model: TargetModel): ServerObserver {
    return new ServerObserver(target, model, null, null);
  }

  async look(): Promise<Look> {
    const [counters, process, metrics] = await Promise.all([
      countersOf(this.#target, this.#model),
      this.#process?.look() ?? null,
      this.#metrics === null ? null : samplesOf(this.#metrics),
    ]);
    return { counters, process, metrics };
  }

  /** @returns what could not be seen, for the user */
  close(): readonly string[] {
    return this.#metrics?.close() ?? [];
  }
}

/** Of the model, and of those that it is made of; null = the server keeps none. */
async function countersOf(target: Target, model: TargetModel): Promise<readonly ModelCounters[] | null> {
  const all: ModelCounters[] = [];
  for (const { name, version } of [model, ...model.composing]) {
    const counters = await target.statistics(name, version);
    if (counters === null) return null;
    all.push(...counters);
  }
  return all;
}

/** The mean of a window counts as one sample of it. */
async function samplesOf(sampler: MetricsSampler): Promise<Map<string, MetricSamples>> {
  const metrics = await sampler.take();
  return new Map(Object.entries(metrics).map(([name, { mean, max }]) => [name, { count: 1, sum: mean, max }]));
}
