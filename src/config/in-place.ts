import { modelConfigToJson } from './config-json.js';
import type { ModelConfig } from './model-config.js';

/**
 * The part of a complete configuration that a served model cannot change: where it is equal, the rest is applied in place (fact sheet 4.7,
 * and further). Free are the number and the devices of instances, the version policy, labels, tags of metrics, samples of warm-up (they have
 * run), and all of dynamic batching but the order of answers. The instances of a model with sequences hold their state: they are not free.
 */
export function fixedPart(config: ModelConfig): string {
  const { version_policy: _, dynamic_batching: __, ...rest } = config;
  return `${config.dynamic_batching?.preserve_ordering ?? false} ${modelConfigToJson({
    ...rest,
    instance_group: config.sequence_batching === undefined ? [] : config.instance_group,
    output: config.output.map((output) => ({ ...output, label_filename: '' })),
    metric_tags: {},
    model_warmup: [],
  })}`;
}
