import type { Histogram } from './histogram.js';
import type { Emit, Labels, MetricFamily, MetricType } from './metrics.js';
import { type DurationsUs, FAILURE_REASONS, type ModelStatistics } from './statistics.js';

/** A model version as its metrics see it. */
export interface MeteredModel {
  readonly name: string;
  readonly version: number;
  /** `metric_tags` of its configuration: labels, with `_` in front. */
  readonly tags: Readonly<Record<string, string>>;
  readonly statistics: ModelStatistics;
  /** Requests that no instance has begun. */
  readonly pending: number;
}

export interface ModelMetricSettings {
  /** `--metrics-config=counter_latencies`: the counters of durations. */
  readonly latencyCounters: boolean;
}

type Read = (model: MeteredModel) => number;

/** Triton's families of fact sheet 7.1 for what exists, then our own `conch_*` in base units. */
export function modelMetrics(models: () => readonly MeteredModel[], settings: ModelMetricSettings): MetricFamily[] {
  const family = (name: string, type: MetricType, help: string, read: Read): MetricFamily => ({
    name,
    type,
    help,
    collect: (emit) => {
      for (const model of models()) emit.value(labelsOf(model), read(model));
    },
  });
  const histogram = (name: string, help: string, read: (model: MeteredModel) => Histogram): MetricFamily => ({
    name,
    type: 'histogram',
    help,
    collect: (emit) => {
      for (const model of models()) emit.histogram(labelsOf(model), read(model));
    },
  });
  return [
    family(
      'nv_inference_request_success',
      'counter',
      'Number of successful inference requests, all batch sizes',
      (m) => m.statistics.successes,
    ),
    failures(models),
    family(
      'nv_inference_count',
      'counter',
      'Number of inferences performed (does not include cached requests)',
      (m) => m.statistics.rows,
    ),
    family(
      'nv_inference_exec_count',
      'counter',
      'Number of model executions performed (does not include cached requests)',
      (m) => m.statistics.executions,
    ),
    ...(settings.latencyCounters ? durations(family) : []),
    family(
      'nv_inference_pending_request_count',
      'gauge',
      'Instantaneous number of pending requests awaiting execution per-model.',
      (m) => m.pending,
    ),
    family('nv_model_load_duration_secs', 'gauge', 'Model load time in seconds', (m) => m.statistics.loadSeconds),
    histogram(
      'conch_request_duration_seconds',
      'From the arrival of a request to its answer',
      (m) => m.statistics.requestSeconds,
    ),
    histogram(
      'conch_queue_duration_seconds',
      'From queueing a request to the start of its execution',
      (m) => m.statistics.queueSeconds,
    ),
    histogram(
      'conch_compute_duration_seconds',
      'Of an execution, inputs and outputs included',
      (m) => m.statistics.computeSeconds,
    ),
    histogram('conch_batch_rows', 'Rows of an execution', (m) => m.statistics.batchRows),
    placements(models),
  ];
}

function labelsOf(model: MeteredModel): Labels {
  const tags = Object.entries(model.tags).map(([key, value]) => [`_${key}`, value]);
  return { model: model.name, version: String(model.version), ...Object.fromEntries(tags) };
}

function durations(family: (name: string, type: MetricType, help: string, read: Read) => MetricFamily): MetricFamily[] {
  const counter = (name: string, what: string, cached: string, key: keyof DurationsUs) =>
    family(
      `nv_inference_${name}_duration_us`,
      'counter',
      `Cumulative ${what} duration in microseconds (${cached} cached requests)`,
      (m) => m.statistics.durationsUs[key],
    );
  return [
    counter('request', 'inference request', 'includes', 'request'),
    counter('queue', 'inference queuing', 'includes', 'queue'),
    counter('compute_input', 'compute input', 'does not include', 'input'),
    counter('compute_infer', 'compute inference', 'does not include', 'infer'),
    counter('compute_output', 'inference compute output', 'does not include', 'output'),
  ];
}

function failures(models: () => readonly MeteredModel[]): MetricFamily {
  const collect = (emit: Emit) => {
    for (const model of models()) {
      for (const reason of FAILURE_REASONS)
        emit.value({ ...labelsOf(model), reason }, model.statistics.failures(reason));
    }
  };
  const help = 'Number of failed inference requests, all batch sizes';
  return { name: 'nv_inference_request_failure', type: 'counter', help, collect };
}

function placements(models: () => readonly MeteredModel[]): MetricFamily {
  const collect = (emit: Emit) => {
    for (const model of models()) {
      const labels = labelsOf(model);
      emit.value({ ...labels, placement: 'contiguous' }, model.statistics.contiguousBatches);
      emit.value({ ...labels, placement: 'gathered' }, model.statistics.gatheredBatches);
    }
  };
  const help = 'Executions whose rows lay one behind the other, and those whose rows had to be gathered';
  return { name: 'conch_batches_total', type: 'counter', help, collect };
}
