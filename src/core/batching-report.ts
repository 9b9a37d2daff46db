import type { ModelConfig } from '../config/model-config.js';
import { CLOSE_REASONS, type CloseReason } from '../telemetry/close-reasons.js';
import type { ModelStatistics } from '../telemetry/statistics.js';

/** Numbers of a model at one moment. */
export interface BatchingNumbers {
  readonly executions: number;
  /** Of all executions, by their number of rows. */
  readonly sizes: readonly { readonly rows: number; readonly executions: number }[];
  readonly reasons: Readonly<Record<CloseReason, number>>;
  /** That come in a second at present. */
  readonly rowsPerSecond: number;
  readonly liveSequences: number;
}

/** The answer of `GET .../batching`: why batches are as large as they are. */
export interface BatchingReport {
  readonly sentences: readonly string[];
  readonly average_rows: number;
  readonly rows_per_second: number;
  readonly batches_by_rows: Readonly<Record<string, number>>;
  readonly batches_by_reason: Readonly<Record<CloseReason, number>>;
}

/** A delay that clients would feel is not worth a proposal. */
const LONGEST_DELAY_US = 10_000;
/** What is proposed: more brings little where an execution costs about the same whatever its rows. */
const WANTED_ROWS = 4;

export function batchingNumbers(
  statistics: ModelStatistics,
  rowsPerSecond: number,
  liveSequences: number,
): BatchingNumbers {
  const { batch_stats, execution_count } = statistics.snapshot();
  return {
    executions: execution_count,
    sizes: batch_stats.map(({ batch_size, compute_infer }) => ({ rows: batch_size, executions: compute_infer.count })),
    reasons: Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, statistics.closedBatches(reason)])) as Record<
      CloseReason,
      number
    >,
    rowsPerSecond,
    liveSequences,
  };
}

export function batchingReport(config: ModelConfig, numbers: BatchingNumbers): BatchingReport {
  const { executions, sizes, reasons, rowsPerSecond } = numbers;
  const rows = sizes.reduce((sum, size) => sum + size.rows * size.executions, 0);
  return {
    sentences: sentencesOf(config, numbers, executions === 0 ? 0 : rows / executions),
    average_rows: executions === 0 ? 0 : round(rows / executions),
    rows_per_second: round(rowsPerSecond),
    batches_by_rows: Object.fromEntries(sizes.map((size) => [size.rows, size.executions])),
    batches_by_reason: reasons,
  };
}

function sentencesOf(config: ModelConfig, numbers: BatchingNumbers, average: number): string[] {
  const steps = config.ensemble_scheduling?.step.map(({ model_name }) => model_name);
  if (steps !== undefined) {
    return [`An ensemble runs no batches of its own: ask its steps (${[...new Set(steps)].join(', ')}).`];
  }
  const kind = kindOf(config, numbers);
  if (numbers.executions === 0) return [...kind, 'Nothing has run yet.'];
  const most = Math.max(1, config.max_batch_size);
  const summary = `${numbers.executions} batches ran, with ${round(average)} of at most ${most} rows on average.`;
  return [...kind, summary, ...shares(config, numbers), ...advice(config, numbers, average)];
}

/** What its configuration says beforehand. */
function kindOf(config: ModelConfig, { liveSequences }: BatchingNumbers): string[] {
  if (config.max_batch_size === 0) return ['max_batch_size is 0: the model does not batch, each request runs alone.'];
  if (config.sequence_batching !== undefined) {
    return [
      `A batch has at most one request of each sequence: ${plural(liveSequences, 'sequence is', 'sequences are')} live now.`,
    ];
  }
  if (config.dynamic_batching === undefined) return ['There is no dynamic_batching: each request runs alone.'];
  return [];
}

function shares(config: ModelConfig, { executions, sizes, reasons }: BatchingNumbers): string[] {
  const single = sizes.find(({ rows }) => rows === 1)?.executions ?? 0;
  const first = single > 0 && config.max_batch_size > 1 ? [`${percent(single, executions)} of them had 1 row.`] : [];
  const known = CLOSE_REASONS.filter((reason) => reasons[reason] / executions >= 0.005);
  known.sort((a, b) => reasons[b] - reasons[a]);
  return [...first, ...known.map((reason) => `${percent(reasons[reason], executions)} ${because(reason, config)}.`)];
}

function because(reason: CloseReason, config: ModelConfig): string {
  const { direct, oldest } = config.sequence_batching ?? {};
  const delayUs = Number((config.dynamic_batching ?? oldest ?? direct)?.max_queue_delay_microseconds ?? 0);
  const preferred = (config.dynamic_batching ?? oldest)?.preferred_batch_size ?? [];
  const texts: Readonly<Record<CloseReason, string>> = {
    full: becauseFull(config),
    preferred: `had a preferred size (${preferred.join(', ')})`,
    delay: `had waited for max_queue_delay_microseconds ${delayUs}`,
    shape_changed: 'ended where the next request had other shapes or inputs',
    idle_instance: `ran at once because an instance was idle${config.dynamic_batching !== undefined && delayUs === 0 ? ' and max_queue_delay is 0' : ''}`,
    end_of_queue: 'took all that had come while the instance was busy',
  };
  return texts[reason];
}

function becauseFull({ max_batch_size, dynamic_batching, sequence_batching }: ModelConfig): string {
  if (max_batch_size === 0 || (dynamic_batching === undefined && sequence_batching === undefined)) {
    return 'had others waiting behind them, which run alone too';
  }
  return `had as many rows as max_batch_size ${max_batch_size} allows, or too few left for the next request`;
}

/** Whether to wait would make larger batches, by how many rows come meanwhile. */
function advice(
  config: ModelConfig,
  { rowsPerSecond, reasons, executions }: BatchingNumbers,
  average: number,
): string[] {
  const dynamic = config.dynamic_batching;
  if (config.max_batch_size < 2 || config.sequence_batching !== undefined) return [];
  if (dynamic === undefined) return ['With dynamic_batching { } requests that come together would run together.'];
  if (Number(dynamic.max_queue_delay_microseconds) > 0 || reasons.full / executions > 0.5) return [];
  if (rowsPerSecond === 0) return ['Nothing comes at present: ask again under load.'];
  const wanted = Math.min(WANTED_ROWS, config.max_batch_size);
  if (average >= wanted) return [];
  const delayUs = Number(((1e6 * (wanted - 1)) / rowsPerSecond).toPrecision(1));
  if (delayUs <= LONGEST_DELAY_US) {
    return [
      `At the present ${round(rowsPerSecond)} rows per second a delay of ${delayUs} us would give about ${wanted}.`,
    ];
  }
  const meanwhile = 1 + (rowsPerSecond * LONGEST_DELAY_US) / 1e6;
  return [
    `At the present ${round(rowsPerSecond)} rows per second even a delay of ${LONGEST_DELAY_US} us would give only about ${round(meanwhile)}.`,
  ];
}

function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(2));
}
