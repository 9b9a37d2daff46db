import { monotonicUs } from '../base/clock.js';
import { Buckets, Histogram } from './histogram.js';
import { Summary } from './summary.js';

const FIRST_RESPONSE = 'nv_inference_first_response_histogram_ms';
const FIRST_RESPONSE_BOUNDS_MS: readonly number[] = [100, 500, 2000, 5000];

export interface LatencyDetailSettings {
  /** Bounds of nv_inference_first_response_histogram_ms; null = it is not kept. */
  readonly firstResponseBoundsMs: readonly number[] | null;
  /** Of the `nv_*_summary_us`; null = they are not kept. */
  readonly quantiles: readonly number[] | null;
}

/** One element of `model_metrics.metric_control` of a configuration. */
export interface MetricControl {
  readonly metric_identifier?: { readonly family: string };
  readonly histogram_options?: { readonly buckets: readonly number[] };
}

/** The bounds a model's configuration asks for, ascending, else Triton's (fact sheet 7.1). */
export function firstResponseBoundsMs(controls: readonly MetricControl[]): readonly number[] {
  const control = controls.find(({ metric_identifier }) => metric_identifier?.family === FIRST_RESPONSE);
  const buckets = control?.histogram_options?.buckets ?? FIRST_RESPONSE_BOUNDS_MS;
  return [...new Set(buckets.filter(Number.isFinite))].sort((a, b) => a - b);
}

export interface LatencySummaries {
  readonly request: Summary;
  readonly queue: Summary;
  readonly input: Summary;
  readonly infer: Summary;
  readonly output: Summary;
}

/** What `--metrics-config` adds to the counters of a model: `histogram_latencies` and `summary_latencies` (fact sheet 7.3). */
export class LatencyDetail {
  /** Observed in microseconds. Successful requests only. */
  readonly firstResponseMs: Histogram | null;
  readonly summaries: LatencySummaries | null;
  /** The clock of the summaries, in microseconds. */
  readonly nowUs: () => number;

  constructor({ firstResponseBoundsMs: bounds, quantiles }: LatencyDetailSettings, nowUs = monotonicUs) {
    this.nowUs = nowUs;
    const boundsUs = bounds?.map((ms) => ms * 1000);
    this.firstResponseMs = boundsUs === undefined ? null : new Histogram(new Buckets(boundsUs), 1000);
    this.summaries = quantiles === null ? null : summaries(quantiles, nowUs());
  }

  firstResponse(us: number): void {
    this.firstResponseMs?.observe(us);
  }

  /** A request that went well is over. */
  requestEnded(requestUs: number, queueUs: number, inputUs: number, inferUs: number, outputUs: number): void {
    if (this.summaries === null) return;
    const nowUs = this.nowUs();
    this.summaries.request.observe(requestUs, nowUs);
    this.summaries.queue.observe(queueUs, nowUs);
    this.summaries.input.observe(inputUs, nowUs);
    this.summaries.infer.observe(inferUs, nowUs);
    this.summaries.output.observe(outputUs, nowUs);
  }
}

function summaries(quantiles: readonly number[], nowUs: number): LatencySummaries {
  const one = () => new Summary(quantiles, nowUs);
  return { request: one(), queue: one(), input: one(), infer: one(), output: one() };
}
