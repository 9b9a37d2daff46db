import { invalid } from '../types/errors.js';
import type { ModelSignature, SignatureTensor } from '../types/model.js';
import { type Shape, shapeText } from '../types/tensor.js';
import { dataTypeInConfig } from './datatype.js';
import type { ConfigDataType, ModelConfig, ModelTensorReshape } from './model-config.js';

interface ConfigTensor {
  readonly name: string;
  readonly data_type: ConfigDataType;
  readonly dims: readonly number[];
  readonly reshape?: ModelTensorReshape;
}

/**
 * Holds a complete configuration against the model's own signature. Throws INVALID_ARGUMENT that names the tensor, both shapes with
 * their batch dimension and the way out (texts of Triton's ONNX backend, fact sheet 4.5).
 */
export function checkSignature(config: ModelConfig, signature: ModelSignature): void {
  const { name } = config;
  const known = new Map([...signature.inputs, ...signature.overridable].map((tensor) => [tensor.name, tensor]));
  checkCount(config, signature);
  for (const input of config.input) {
    const tensor = known.get(input.name);
    if (tensor === undefined) throw unknown('input', input.name, [...known.keys()]);
    if (input.optional && config.max_batch_size > 0) {
      throw invalid(`unable to load model '${name}', optional input '${input.name}' is not supported for models that support batching`);
    }
    checkTensor(config, input, tensor, 'input');
  }
  const outputs = new Map(signature.outputs.map((tensor) => [tensor.name, tensor]));
  for (const output of config.output) {
    const tensor = outputs.get(output.name);
    if (tensor === undefined) throw unknown('output', output.name, [...outputs.keys()]);
    checkTensor(config, output, tensor, 'output');
  }
}

/** Every input of the graph needs a value; those with one of their own may be listed. */
function checkCount(config: ModelConfig, signature: ModelSignature): void {
  const controls = config.sequence_batching?.control_input.length ?? 0;
  const states = config.sequence_batching?.state.length ?? 0;
  const listed = new Set(config.input.map((input) => input.name));
  const overridden = signature.overridable.filter((tensor) => listed.has(tensor.name)).length;
  const targets = config.batch_input.reduce((sum, input) => sum + input.target_name.length, 0);
  const expected = config.input.length + controls + states + targets;
  const provided = signature.inputs.length + overridden;
  if (expected === provided || config.input.some((input) => isUnknown(input.name, signature))) return;
  const missing = signature.inputs.filter((tensor) => !listed.has(tensor.name)).map((tensor) => `'${tensor.name}'`);
  const fix = missing.length > 0 ? `; not configured: ${missing.join(', ')}` : '';
  throw invalid(
    `unable to load model '${config.name}', configuration expects ${expected} inputs, model provides ${provided}${fix}`,
  );
}

function isUnknown(name: string, signature: ModelSignature): boolean {
  return ![...signature.inputs, ...signature.overridable].some((tensor) => tensor.name === name);
}

function unknown(kind: 'input' | 'output', name: string, allowed: readonly string[]) {
  return invalid(`unexpected inference ${kind} '${name}', allowed ${kind}s are: ${[...allowed].sort().join(', ')}`);
}

function checkTensor(config: ModelConfig, tensor: ConfigTensor, model: SignatureTensor, kind: 'input' | 'output'): void {
  const provided = dataTypeInConfig(model.datatype);
  if (tensor.data_type !== provided) {
    throw invalid(
      `unable to load model '${config.name}', configuration expects datatype ${tensor.data_type} for ${kind} '${tensor.name}', model provides ${provided}`,
    );
  }
  const batching = config.max_batch_size > 0;
  if (batching && model.shape[0] !== -1) {
    throw invalid(
      `model '${config.name}', tensor '${tensor.name}': for the model to support batching the shape should have at least 1 dimension and ` +
        `the first dimension must be -1; but shape expected by the model is ${shapeText(model.shape)}. ` +
        'Set max_batch_size to 0 and write the full shape into dims, or export the model with a symbolic first dimension',
    );
  }
  const own = tensor.reshape?.shape ?? tensor.dims;
  const full = batching ? [-1, ...own] : own;
  if (!fits(full, model.shape, kind, batching)) throw shapeError(config, tensor, full, model.shape, batching);
}

/** An input may be stricter than the model; an output is what the model makes. One element may stand for a scalar. */
function fits(config: Shape, model: Shape, kind: 'input' | 'output', batching: boolean): boolean {
  if (!batching && model.length === 0 && config.length === 1 && config[0] === 1) return true;
  if (config.length !== model.length) return false;
  return config.every((dim, i) => dim === model[i] || (model[i] === -1 && (kind === 'input' || dim === -1)));
}

function shapeError(config: ModelConfig, tensor: ConfigTensor, full: Shape, model: Shape, batching: boolean) {
  const form = batching
    ? `(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape ${shapeText(full)})`
    : `(shape ${shapeText(full)})`;
  const expected = batching ? model.slice(1) : model;
  const field = tensor.reshape === undefined ? 'dims' : 'reshape.shape';
  return invalid(
    `model '${config.name}', tensor '${tensor.name}': the model expects ${model.length} dimensions (shape ${shapeText(model)}) but the model ` +
      `configuration specifies ${full.length} dimensions ${form}. To fit the model, ${field} should be ${shapeText(expected)}`,
  );
}
