import { invalid } from '../types/errors.js';
import type { ModelConfig, ModelDynamicBatching, ModelQueuePolicy } from './model-config.js';

/** `dynamic_batching` (fact sheet 4.6). */
export function validateDynamicBatching({ name, max_batch_size, dynamic_batching }: ModelConfig): void {
  if (dynamic_batching === undefined) return;
  for (const size of dynamic_batching.preferred_batch_size) {
    if (size <= 0) throw invalid(`dynamic batching preferred size must be positive for ${name}`);
    if (size > max_batch_size) throw invalid(`dynamic batching preferred size must be <= max batch size for ${name}`);
  }
  if (BigInt(dynamic_batching.priority_levels) !== 0n) validateLevels(name, dynamic_batching);
  if (dynamic_batching.preserve_ordering) validateOrdering(name, dynamic_batching);
}

function validateLevels(model: string, batching: ModelDynamicBatching): void {
  const levels = BigInt(batching.priority_levels);
  const isLevel = (level: number | bigint | string) => BigInt(level) >= 1n && BigInt(level) <= levels;
  if (!isLevel(batching.default_priority_level)) {
    throw invalid(`default priority level must be in range [1, ${levels}] for ${model}`);
  }
  if (!Object.keys(batching.priority_queue_policy).every(isLevel)) {
    throw invalid(`priority queue policy must have priority level in range [1, ${levels}] for ${model}`);
  }
}

function validateOrdering(model: string, batching: ModelDynamicBatching): void {
  if (BigInt(batching.priority_levels) > 1n) {
    throw invalid(`Only one priority level is allowed when 'preserve_ordering' is true for ${model}`);
  }
  const policies = [batching.default_queue_policy, ...Object.values(batching.priority_queue_policy)];
  if (policies.some(isDelaying)) {
    throw invalid(`Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for ${model}`);
  }
}

/** A request's own timeout counts only below the default one (fact sheet 5.1): without a default nothing is ever delayed. */
function isDelaying(policy: ModelQueuePolicy | undefined): boolean {
  return policy?.timeout_action === 'DELAY' && BigInt(policy.default_timeout_microseconds) !== 0n;
}
