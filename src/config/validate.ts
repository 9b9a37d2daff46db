import { invalid } from '../types/errors.js';
import type { ModelConfig } from './model-config.js';
import { isEnsemble, type Machine } from './normalize.js';
import { validateDynamicBatching } from './validate-dynamic.js';
import { validateEnsemble } from './validate-ensemble.js';
import { validateInstanceGroups } from './validate-groups.js';
import { validateSequence } from './validate-sequence.js';
import { isDimension, validateBatchIo, validateTensors } from './validate-tensors.js';

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
 * @param isComplete false = a first look, before the model's files are read: tensors and instance groups wait for the second
 */
export function validateConfig(config: ModelConfig, machine: Machine, isComplete: boolean): void {
  validateGeneral(config);
  validateEnsemble(config);
  validateDynamicBatching(config);
  validateSequence(config);
  validateCache(config);
  validateMetrics(config);
  validateWarmup(config);
  if (!isComplete) return;
  validateIo(config);
  if (!isEnsemble(config)) validateInstanceGroups(config, machine);
}

export function validateGeneral(config: ModelConfig): void {
  const { name } = config;
  if (name === '') throw invalid("model configuration must specify 'name'");
  validatePlatform(config);
  if (config.max_batch_size < 0) throw invalid(`'max_batch_size' must be non-negative value for ${name}`);
  if (config.version_policy === undefined) throw invalid(`must specify 'version policy' for ${name}`);
  for (const version of config.version_policy.specific?.versions ?? []) {
    if (Number.isSafeInteger(version) && version >= 0) continue;
    throw invalid(
      `version policy names version ${version} for ${name}, expected an integer from 0 to ${Number.MAX_SAFE_INTEGER}`,
    );
  }
}

function validatePlatform({ name, platform, backend }: ModelConfig): void {
  if (platform === '' && backend === '') throw invalid(`must specify 'platform' or 'backend' for '${name}'`);
  if (platform === 'ensemble') {
    if (backend === '') return;
    throw invalid(`Ensemble model '${name}' must have platform type 'ensemble' and empty backend type`);
  }
  if (backend === '') throw invalid(`unexpected platform type '${platform}' for ${name}`);
  const isKnown = Object.values(platformBackend).includes(backend);
  if (platformBackend[platform] === (isKnown ? backend : undefined)) return;
  throw invalid(`unexpected 'platform' and 'backend' pair, got:${platform}, ${backend}`);
}

/** Inputs, outputs, and what is made from them per batch. */
export function validateIo(config: ModelConfig): void {
  validateTensors(config, 'input', config.input);
  validateTensors(config, 'output', config.output);
  validateBatchIo(config);
}

/** Responses of a sequence or of a decoupled model are not the same twice. */
export function validateCache(config: ModelConfig): void {
  if (!config.response_cache?.enable) return;
  const refused = (what: string) =>
    invalid(
      `Response Cache does not currently support model ${config.name} with ${what}. Please disable the response cache.`,
    );
  if (config.sequence_batching !== undefined) throw refused('sequence batching scheduler');
  if (config.model_transaction_policy?.decoupled) throw refused("'decoupled' transaction policy");
}

export function validateMetrics(config: ModelConfig): void {
  for (const control of config.model_metrics?.metric_control ?? []) {
    if (control.metric_identifier === undefined) throw invalid("metric control must specify 'metric_identifier'");
    if (control.metric_identifier.family === '') throw invalid("metric identifier must specify non-empty 'family'");
    if (control.histogram_options === undefined) throw invalid("metric control must specify 'histogram_options'");
    if (control.histogram_options.buckets.length === 0) {
      throw invalid("histogram options must specify non-empty 'buckets'");
    }
  }
}

/** What can be told of warm-up samples without their files (fact sheet 5.8). */
export function validateWarmup(config: ModelConfig): void {
  for (const sample of config.model_warmup) {
    for (const [name, input] of Object.entries(sample.inputs)) {
      if (!input.dims.every((dim) => isDimension(dim) && dim !== -1)) {
        throw invalid(`warmup setting expects all variable-size dimensions are specified for input '${name}'`);
      }
      const sources = [input.zero_data, input.random_data, input.input_data_file];
      if (sources.every((source) => source === undefined)) {
        throw invalid(`warmup setting expects input '${name}' to have input_data_type set`);
      }
    }
  }
}
