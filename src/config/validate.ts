import { invalid } from '../types/errors.js';
import type { ModelConfig, ModelQueuePolicy } from './model-config.js';
import { isEnsemble, type Machine } from './normalize.js';
import { validateSequence } from './validate-sequence.js';
import { validateBatchIo, validateTensors } from './validate-tensors.js';

/** Platforms that belong to one backend. */
const platformBackend: Readonly<Record<string, string>> = {
  tensorflow_savedmodel: 'tensorflow',
  tensorflow_graphdef: 'tensorflow',
  tensorrt_plan: 'tensorrt',
  onnxruntime_onnx: 'onnxruntime',
  pytorch_libtorch: 'pytorch',
};

/**
 * The rules between the fields of a normalised configuration (fact sheet 4.6). Throws INVALID_ARGUMENT with Triton's texts for the
 * first rule that is broken.
 * @param isComplete false = what the model's files can tell may still be missing
 */
export function validateConfig(config: ModelConfig, machine: Machine, isComplete: boolean): void {
  validateGeneral(config);
  validateDynamicBatching(config);
  validateSequence(config);
  validateCache(config);
  validateMetrics(config);
  if (isComplete || config.input.length > 0) validateTensors(config, 'input', config.input);
  if (isComplete || config.output.length > 0) validateTensors(config, 'output', config.output);
  validateBatchIo(config);
  if (!isEnsemble(config)) validateInstanceGroups(config, machine);
}

function validateGeneral(config: ModelConfig): void {
  const { name, platform, backend } = config;
  if (name === '') throw invalid("model configuration must specify 'name'");
  if (isEnsemble(config)) {
    if (platform === 'ensemble' && backend === '') return;
    throw invalid(`Ensemble model '${name}' must have platform type 'ensemble' and empty backend type`);
  }
  if (platform === '' && backend === '') throw invalid(`must specify 'platform' or 'backend' for '${name}'`);
  if (backend === '') throw invalid(`unexpected platform type '${platform}' for ${name}`);
  const owner = platformBackend[platform];
  if (owner !== undefined && owner !== backend) {
    throw invalid(`unexpected 'platform' and 'backend' pair, got:${platform}, ${backend}`);
  }
  if (config.max_batch_size < 0) throw invalid(`'max_batch_size' must be non-negative value for ${name}`);
  if (config.version_policy === undefined) throw invalid(`must specify 'version policy' for ${name}`);
}

function validateDynamicBatching(config: ModelConfig): void {
  const batching = config.dynamic_batching;
  if (batching === undefined) return;
  const { name } = config;
  for (const size of batching.preferred_batch_size) {
    if (size <= 0) throw invalid(`dynamic batching preferred size must be positive for ${name}`);
    if (size > config.max_batch_size) throw invalid(`dynamic batching preferred size must be <= max batch size for ${name}`);
  }
  const levels = Number(batching.priority_levels);
  if (levels !== 0) validateLevels(config, levels);
  if (batching.preserve_ordering) validateOrdering(config, levels);
}

function validateLevels(config: ModelConfig, levels: number): void {
  const batching = config.dynamic_batching!;
  const isLevel = (level: number) => level >= 1 && level <= levels;
  if (!isLevel(Number(batching.default_priority_level))) {
    throw invalid(`default priority level must be in range [1, ${levels}] for ${config.name}`);
  }
  if (!Object.keys(batching.priority_queue_policy).every((level) => isLevel(Number(level)))) {
    throw invalid(`priority queue policy must have priority level in range [1, ${levels}] for ${config.name}`);
  }
}

function validateOrdering(config: ModelConfig, levels: number): void {
  const batching = config.dynamic_batching!;
  if (levels > 1) {
    throw invalid(`Only one priority level is allowed when 'preserve_ordering' is true for ${config.name}`);
  }
  const policies = [batching.default_queue_policy, ...Object.values(batching.priority_queue_policy)];
  if (policies.some(canDelay)) {
    throw invalid(
      `Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for ${config.name}`,
    );
  }
}

/** DELAY with any way to time out. */
function canDelay(policy: ModelQueuePolicy | undefined): boolean {
  if (policy?.timeout_action !== 'DELAY') return false;
  return policy.allow_timeout_override || Number(policy.default_timeout_microseconds) > 0;
}

function validateCache(config: ModelConfig): void {
  if (!config.response_cache?.enable) return;
  const refused = (what: string) =>
    invalid(`Response Cache does not currently support model ${config.name} with ${what}. Please disable the response cache.`);
  if (config.sequence_batching !== undefined) throw refused('sequence batching scheduler');
  if (config.model_transaction_policy?.decoupled) throw refused("'decoupled' transaction policy");
}

function validateMetrics(config: ModelConfig): void {
  for (const control of config.model_metrics?.metric_control ?? []) {
    if (control.metric_identifier === undefined) throw invalid("metric control must specify 'metric_identifier'");
    if (control.metric_identifier.family === '') throw invalid("metric identifier must specify non-empty 'family'");
    if (control.histogram_options === undefined) throw invalid("metric control must specify 'histogram_options'");
    if (control.histogram_options.buckets.length === 0) {
      throw invalid("histogram options must specify non-empty 'buckets'");
    }
  }
}

function validateInstanceGroups(config: ModelConfig, machine: Machine): void {
  const { name } = config;
  if (config.instance_group.length === 0) throw invalid(`must specify one or more 'instance group's for ${name}`);
  for (const group of config.instance_group) {
    const subject = `instance group ${group.name} of model ${name}`;
    if (group.kind !== 'KIND_GPU' && group.gpus.length > 0) {
      throw invalid(`${subject} has kind ${group.kind} but specifies one or more GPUs`);
    }
    if (group.kind === 'KIND_GPU') validateGpus(subject, group.gpus, machine);
    if (group.profile.length > 0 && config.platform !== 'tensorrt_plan') {
      throw invalid(
        `${subject} and platform ${config.platform}specifies profile field which is only supported for TensorRT models`,
      );
    }
  }
}

function validateGpus(subject: string, gpus: readonly number[], machine: Machine): void {
  if (machine.gpus.length === 0) {
    throw invalid(
      `${subject} has kind KIND_GPU but no GPUs are available: no NVIDIA driver answers on this machine. ` +
        'Install the driver and CUDA files (docs/configuration.md), or set kind: KIND_CPU',
    );
  }
  if (gpus.length === 0) throw invalid(`${subject} has kind KIND_GPU but specifies no GPUs`);
  for (const gpu of gpus) {
    if (machine.gpus.includes(gpu)) continue;
    throw invalid(`${subject} specifies invalid or unsupported gpu id ${gpu}. GPUs that can be used are: ${machine.gpus.join(', ')}`);
  }
}
