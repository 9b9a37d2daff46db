import { invalid } from '../types/errors.js';
import type { ModelSignature, SignatureTensor } from '../types/model.js';
import { dataTypeInConfig } from './datatype.js';
import type { ModelConfig, ModelInput, ModelOutput } from './model-config.js';

export interface AutocompleteSettings {
  /** `--backend-config=onnxruntime,default-max-batch-size=N`; 0 = batching is never turned on. */
  readonly defaultMaxBatchSize: number;
}

export interface Autocompleted {
  readonly config: ModelConfig;
  /** For the log. */
  readonly notes: readonly string[];
}

/** Fills what the configuration leaves out from the model's own signature, as Triton's ONNX backend does (fact sheet 4.5). */
export function autocomplete(
  config: ModelConfig,
  signature: ModelSignature,
  settings: AutocompleteSettings,
): Autocompleted {
  if ((config.input.length > 0 || config.batch_input.length > 0) && config.output.length > 0) {
    return { config, notes: [`model '${config.name}': inputs and outputs already specified, skipping auto-complete`] };
  }
  const canBatch = [...signature.inputs, ...signature.outputs].every((tensor) => tensor.shape[0] === -1);
  const completed = completeBatching(config, canBatch, settings);
  const batching = completed.max_batch_size > 0;
  if (config.input.length === 0 && config.batch_input.length === 0) {
    const ours = new Set(serverInputs(config));
    completed.input = signature.inputs.filter(({ name }) => !ours.has(name)).map((tensor) => inputOf(tensor, batching));
  }
  if (config.output.length === 0) completed.output = signature.outputs.map((tensor) => outputOf(tensor, batching));
  return { config: completed, notes: [`model '${config.name}': completed from the model file`] };
}

/** Inputs of the model that the server feeds and no client: controls and states of sequences. Triton lists them twice and then fails. */
function serverInputs({ sequence_batching }: ModelConfig): string[] {
  const controls = sequence_batching?.control_input.map(({ name }) => name) ?? [];
  const states = sequence_batching?.state.map(({ input_name }) => input_name) ?? [];
  return [...controls, ...states];
}

/** Zero and absent cannot be told apart: a model that can batch does. */
function completeBatching(config: ModelConfig, canBatch: boolean, settings: AutocompleteSettings): ModelConfig {
  if (!canBatch && config.max_batch_size !== 0) {
    throw invalid(
      `autofill failed for model '${config.name}': model does not support batching while non-zero max_batch_size is specified`,
    );
  }
  const max_batch_size = canBatch && config.max_batch_size === 0 ? settings.defaultMaxBatchSize : config.max_batch_size;
  const completed = { ...config, max_batch_size };
  const isScheduled = config.dynamic_batching !== undefined || config.sequence_batching !== undefined;
  if (canBatch && max_batch_size > 1 && !isScheduled) {
    completed.dynamic_batching = {
      preferred_batch_size: [max_batch_size],
      max_queue_delay_microseconds: 0,
      preserve_ordering: false,
      priority_levels: 0,
      default_priority_level: 0,
      priority_queue_policy: Object.create(null),
    };
  }
  return completed;
}

/** A tensor without dimensions of its own is one element to clients. */
function shapeOf(tensor: SignatureTensor, batching: boolean): Pick<ModelInput, 'dims' | 'reshape'> {
  const own = batching ? tensor.shape.slice(1) : [...tensor.shape];
  if (own.length > 0) return { dims: own };
  return batching ? { dims: [1], reshape: { shape: [] } } : { dims: [1] };
}

function inputOf(tensor: SignatureTensor, batching: boolean): ModelInput {
  return {
    name: tensor.name,
    data_type: dataTypeInConfig(tensor.datatype),
    format: 'FORMAT_NONE',
    ...shapeOf(tensor, batching),
    is_shape_tensor: false,
    allow_ragged_batch: false,
    optional: false,
    is_non_linear_format_io: false,
  };
}

function outputOf(tensor: SignatureTensor, batching: boolean): ModelOutput {
  return {
    name: tensor.name,
    data_type: dataTypeInConfig(tensor.datatype),
    ...shapeOf(tensor, batching),
    label_filename: '',
    is_shape_tensor: false,
    is_non_linear_format_io: false,
  };
}
