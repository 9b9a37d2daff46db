import type { ModelConfig } from './model-config.js';

/** What a field would do, by the part of the configuration that asks for it. Who makes one work takes its line out. */
const idle: readonly {
  readonly field: string;
  readonly isSet: (config: ModelConfig) => boolean;
  readonly so: string;
}[] = [
  {
    field: 'rate_limiter',
    isSet: (config) => config.instance_group.some(({ rate_limiter }) => rate_limiter !== undefined),
    so: 'every instance runs whenever it has work',
  },
];

/** One line for each field that is understood and kept but changes nothing yet, for the log. */
export function idleFields(config: ModelConfig): string[] {
  return idle
    .filter(({ isSet }) => isSet(config))
    .map(({ field, so }) => `model '${config.name}': ${field} has no effect yet: ${so}`);
}
