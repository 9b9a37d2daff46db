import { modelCacheMetrics } from './cache-metrics.js';
import { CLOSE_REASONS } from './close-reasons.js';
import type { Histogram } from './histogram.js';
import type { LatencySummaries } from './latency-detail.js';
import type { FamilyOf, MeteredModel, MeteredSequences, Write } from './metered-model.js';
import { type Emit, type Labels, labelName, type MetricFamily } from './metrics.js';
import { type DurationsUs, FAILURE_REASONS, type ModelStatistics } from './statistics.js';

export interface ModelMetricSettings {
  /**
   * `--metrics-config=counter_latencies`: the counters of durations. False leaves them out; Triton freezes all counters of models then
   * (fact sheet 7.3), a defect that is not repeated here.
   */
  readonly latencyCounters: boolean;
}

/** Triton's families of fact sheet 7.1 for what exists, then our own `conch_*` in base units. */
export function modelMetrics(models: () => readonly MeteredModel[], settings: ModelMetricSettings): MetricFamily[] {
  const family: FamilyOf = (name, type, help, write) => ({
    name,
    type,
    help,
    collect: (emit) => {
      for (const model of models()) write(emit, labelsOf(model), model);
    },
  });
  return [
    ...requests(family),
    ...(settings.latencyCounters ? [...durations(family), ...modelCacheMetrics(family)] : []),
    ...gauges(family),
    ...details(family),
    ...histograms(family),
    ...sequences(family),
  ];
}

/** Those that say whose a series is. */
export function labelsOf(model: Pick<MeteredModel, 'name' | 'version' | 'tags'>): Labels {
  const tags = Object.entries(model.tags).map(([key, value]) => [labelName(`_${key}`), value]);
  return { ...Object.fromEntries(tags), model: model.name, version: String(model.version) };
}

function value(read: (model: MeteredModel) => number): Write {
  return (emit, labels, model) => emit.value(labels, read(model));
}

function requests(family: FamilyOf): MetricFamily[] {
  const rows = 'Number of inferences performed (does not include cached requests)';
  const executions = 'Number of model executions performed (does not include cached requests)';
  const successes = 'Number of successful inference requests, all batch sizes';
  const failures = 'Number of failed inference requests, all batch sizes';
  return [
    family(
      'nv_inference_request_success',
      'counter',
      successes,
      value(({ statistics }) => statistics.successes),
    ),
    family('nv_inference_request_failure', 'counter', failures, (emit, labels, { statistics }) => {
      for (const reason of FAILURE_REASONS) emit.value({ ...labels, reason }, statistics.failures(reason));
    }),
    family(
      'nv_inference_count',
      'counter',
      rows,
      value(({ statistics }) => statistics.rows),
    ),
    family(
      'nv_inference_exec_count',
      'counter',
      executions,
      value(({ statistics }) => statistics.executions),
    ),
  ];
}

/** The name of a duration in families, what Triton calls it in their help, and whether requests that the cache answered are in it. */
const DURATIONS: readonly [key: keyof DurationsUs, name: string, what: string, cached: string][] = [
  ['request', 'request', 'inference request', 'includes'],
  ['queue', 'queue', 'inference queuing', 'includes'],
  ['input', 'compute_input', 'compute input', 'does not include'],
  ['infer', 'compute_infer', 'compute inference', 'does not include'],
  ['output', 'compute_output', 'inference compute output', 'does not include'],
];

function durations(family: FamilyOf): MetricFamily[] {
  return DURATIONS.map(([key, name, what, cached]) =>
    family(
      `nv_inference_${name}_duration_us`,
      'counter',
      `Cumulative ${what} duration in microseconds (${cached} cached requests)`,
      value(({ statistics }) => statistics.durationsUs[key]),
    ),
  );
}

function gauges(family: FamilyOf): MetricFamily[] {
  const pending = 'Instantaneous number of pending requests awaiting execution per-model.';
  return [
    family(
      'nv_inference_pending_request_count',
      'gauge',
      pending,
      value((model) => model.pending ?? model.statistics.pendingRequests),
    ),
    family(
      'nv_model_load_duration_secs',
      'gauge',
      'Model load time in seconds',
      value(({ statistics }) => statistics.loadSeconds),
    ),
    family(
      'conch_worker_restarts_total',
      'counter',
      'Workers that came up in place of one that died',
      (emit, labels, { restarts }) => {
        if (restarts != null) emit.value(labels, restarts);
      },
    ),
  ];
}

/** Of the models that keep them: `--metrics-config` decides when a model is loaded. */
function details(family: FamilyOf): MetricFamily[] {
  const firstResponse: Write = (emit, labels, { statistics }) => {
    const histogram = statistics.detail?.firstResponseMs ?? null;
    if (histogram !== null) emit.histogram(labels, histogram);
  };
  const help = 'Duration from request to first response in milliseconds';
  return [
    family('nv_inference_first_response_histogram_ms', 'histogram', help, firstResponse),
    ...DURATIONS.map(([key, name, what, cached]) =>
      family(
        `nv_inference_${name}_summary_us`,
        'summary',
        `Summary of ${what} duration in microseconds (${cached} cached requests)`,
        summary(key),
      ),
    ),
  ];
}

function summary(key: keyof LatencySummaries): Write {
  return (emit, labels, { statistics }) => {
    const { detail } = statistics;
    if (detail !== null && detail.summaries !== null) emit.summary(labels, detail.summaries[key], detail.nowUs());
  };
}

function histograms(family: FamilyOf): MetricFamily[] {
  const histogram = (name: string, help: string, read: (statistics: ModelStatistics) => Histogram) =>
    family(name, 'histogram', help, (emit, labels, { statistics }) => emit.histogram(labels, read(statistics)));
  const closings = 'Executions by why they had no more rows';
  const placements = 'Executions whose rows lay one behind the other, and those whose rows had to be gathered';
  return [
    histogram(
      'conch_request_duration_seconds',
      'From the arrival of a request to its answer',
      (statistics) => statistics.requestSeconds,
    ),
    histogram(
      'conch_queue_duration_seconds',
      'From queueing a request to the start of its execution',
      (statistics) => statistics.queueSeconds,
    ),
    histogram(
      'conch_compute_duration_seconds',
      'Of an execution, inputs and outputs included',
      (statistics) => statistics.computeSeconds,
    ),
    histogram('conch_batch_rows', 'Rows of an execution', (statistics) => statistics.batchRows),
    family('conch_batches_total', 'counter', placements, (emit, labels, { statistics }) => {
      emit.value({ ...labels, placement: 'contiguous' }, statistics.contiguousBatches);
      emit.value({ ...labels, placement: 'gathered' }, statistics.gatheredBatches);
    }),
    family('conch_batches_closed_total', 'counter', closings, (emit, labels, { statistics }) => {
      for (const reason of CLOSE_REASONS) emit.value({ ...labels, reason }, statistics.closedBatches(reason));
    }),
  ];
}

/** Of the models with sequence batching. */
function sequences(family: FamilyOf): MetricFamily[] {
  const of =
    (write: (emit: Emit, labels: Labels, sequences: MeteredSequences) => void): Write =>
    (emit, labels, model) => {
      if (model.sequences) write(emit, labels, model.sequences);
    };
  return [
    family(
      'conch_sequences_live',
      'gauge',
      'Sequences that have a slot, and those that wait for one',
      of((emit, labels, { inSlots, inBacklog }) => {
        emit.value({ ...labels, place: 'slot' }, inSlots);
        emit.value({ ...labels, place: 'backlog' }, inBacklog);
      }),
    ),
    family(
      'conch_sequences_started_total',
      'counter',
      'Sequences that began',
      of((emit, labels, { started }) => emit.value(labels, started)),
    ),
    family(
      'conch_sequences_ended_total',
      'counter',
      'Sequences that are over, by why they ended',
      of((emit, labels, { ended }) => {
        for (const [reason, count] of Object.entries(ended)) emit.value({ ...labels, reason }, count);
      }),
    ),
  ];
}
