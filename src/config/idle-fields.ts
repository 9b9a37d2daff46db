import type { ModelConfig } from './model-config.js';

/** What the command line asked for, as far as fields depend on it. */
export interface FieldUses {
  /** `--rate-limit=execution_count`. */
  readonly limitsRate: boolean;
}

/** One line for each field that is understood and kept but changes nothing, for the log. */
export function idleFields(config: ModelConfig, { limitsRate }: FieldUses): string[] {
  const isLimited = config.instance_group.some(({ rate_limiter }) => rate_limiter !== undefined);
  if (limitsRate || !isLimited) return [];
  return [`model '${config.name}': rate_limiter has no effect without --rate-limit=execution_count`];
}
