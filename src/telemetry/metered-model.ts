import type { Emit, Labels, MetricFamily, MetricType } from './metrics.js';
import type { ModelStatistics } from './statistics.js';

/** A model version as its metrics see it. */
export interface MeteredModel {
  readonly name: string;
  readonly version: number;
  /** `metric_tags` of its configuration: labels, with `_` in front. */
  readonly tags: Readonly<Record<string, string>>;
  readonly statistics: ModelStatistics;
  /** Requests that no instance has begun, where the scheduler counts them; else those of the statistics. */
  readonly pending?: number;
  /** Workers that came up in place of one that died; null or absent = it has no workers. */
  readonly restarts?: number | null;
  /** Null or absent = it has no sequences. */
  readonly sequences?: MeteredSequences | null;
}

export interface MeteredSequences {
  readonly inSlots: number;
  readonly inBacklog: number;
  readonly started: number;
  /** By reason. */
  readonly ended: Readonly<Record<string, number>>;
}

/** Writes the series of one model. */
export type Write = (emit: Emit, labels: Labels, model: MeteredModel) => void;

export type FamilyOf = (name: string, type: MetricType, help: string, write: Write) => MetricFamily;
