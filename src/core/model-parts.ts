import type { Gatekeeper } from '../backends/instance-gate.js';
import type { InstanceSpec } from '../backends/instance-spec.js';
import type { StateLayout } from '../backends/worker-protocol.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { ModelConfig } from '../config/model-config.js';
import type { Arena } from '../memory/arena.js';
import type { ModelStatistics } from '../telemetry/statistics.js';
import type { ModelCache } from './cache/model-cache.js';
import type { FindModel } from './model-calls.js';
import type { ModelTensors } from './model-tensors.js';
import { Warmup } from './warmup.js';
import type { WarmupSample } from './warmup-samples.js';

/** What one version of a model is made of. */
export interface ModelParts {
  readonly name: string;
  readonly version: number;
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly states: readonly StateLayout[];
  readonly specs: readonly InstanceSpec[];
  /** What every instance runs before it serves. */
  readonly warmup: readonly WarmupSample[];
  readonly statistics: ModelStatistics;
  /** Null or absent = its answers are not kept. */
  readonly cache?: ModelCache | null;
}

/** What it shares with all others. */
export interface ModelSurroundings {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly log: Log;
  /** `--sequence-max-backlog`. */
  readonly sequenceMaxBacklog: number;
  /** `--response-timeout-secs`; 0 = never. */
  readonly responseTimeoutSecs: number;
  /** Null or absent = no instance waits for another (`--rate-limit=off`). */
  readonly gatekeeper?: Gatekeeper | null;
  /** For code that calls other models. */
  readonly find: FindModel;
}

export function warmupOf(
  { name, tensors, states, warmup, statistics }: ModelParts,
  surroundings: ModelSurroundings,
): Warmup {
  const lines = tensors.lines + states.length;
  return new Warmup(
    { model: name, samples: warmup, lines, hasStates: states.length > 0 },
    { ...surroundings, statistics },
  );
}
