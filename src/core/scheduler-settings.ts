import type { ModelConfig, ModelDynamicBatching, ModelQueuePolicy } from '../config/model-config.js';
import type { BatchPolicy } from '../schedulers/batch-plan.js';
import { OPEN_POLICY, type QueuePolicy, type QueueSettings } from '../schedulers/request-queue.js';

export interface SchedulerSettings {
  readonly policy: BatchPolicy;
  readonly queue: QueueSettings;
  readonly prefetch: boolean;
  readonly preserveOrdering: boolean;
}

/** What a normalised configuration means to the default scheduler or the dynamic batcher (fact sheet 5.1, 5.2). */
export function schedulerSettings(config: ModelConfig): SchedulerSettings {
  const batching = config.dynamic_batching;
  const maxRows = Math.max(1, config.max_batch_size);
  if (batching === undefined) {
    return {
      policy: { maxRows, preferred: [maxRows], delayUs: 0, single: true },
      queue: { levels: 0, defaultLevel: 1, defaultPolicy: OPEN_POLICY, levelPolicies: new Map() },
      prefetch: true,
      preserveOrdering: config.sequence_batching?.oldest?.preserve_ordering ?? false,
    };
  }
  const preferred = [...new Set(batching.preferred_batch_size)].sort((a, b) => a - b);
  return {
    policy: {
      maxRows,
      preferred: preferred.length > 0 ? preferred : [maxRows],
      delayUs: Number(batching.max_queue_delay_microseconds),
      single: false,
    },
    queue: queueSettings(batching),
    prefetch: allowsPrefetch(batching),
    preserveOrdering: batching.preserve_ordering,
  };
}

function queueSettings(batching: ModelDynamicBatching): QueueSettings {
  const levels = Object.entries(batching.priority_queue_policy);
  return {
    levels: Number(batching.priority_levels),
    defaultLevel: Number(batching.default_priority_level),
    defaultPolicy: queuePolicy(batching.default_queue_policy),
    levelPolicies: new Map(levels.map(([level, policy]) => [Number(level), queuePolicy(policy)])),
  };
}

function queuePolicy(policy: ModelQueuePolicy | undefined): QueuePolicy {
  if (policy === undefined) return OPEN_POLICY;
  return {
    timeoutAction: policy.timeout_action,
    defaultTimeoutUs: Number(policy.default_timeout_microseconds),
    allowTimeoutOverride: policy.allow_timeout_override,
    maxSize: policy.max_queue_size,
  };
}

/** A batch that waits at an instance is out of reach for priorities, time-outs and queue sizes: then none does. */
function allowsPrefetch(batching: ModelDynamicBatching): boolean {
  const policy = batching.default_queue_policy;
  const plain =
    policy === undefined ||
    (Number(policy.default_timeout_microseconds) === 0 &&
      !policy.allow_timeout_override &&
      policy.max_queue_size === 0);
  return plain && Number(batching.priority_levels) === 0;
}
