import { elementBytes } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import { sameShape, shapeText } from '../types/tensor.js';
import { configDataType } from './datatype.js';
import type { ModelConfig, ModelInput, ModelOutput } from './model-config.js';

type Tensor = ModelInput | ModelOutput;

/** Inputs or outputs of a configuration (fact sheet 4.6, "IO"). */
export function validateTensors(config: ModelConfig, kind: 'input' | 'output', tensors: readonly Tensor[]): void {
  const names = new Set<string>();
  for (const tensor of tensors) {
    validateTensor(config, kind, tensor);
    if (names.has(tensor.name)) throw invalid(`model ${kind} '${tensor.name}' is specified twice for ${config.name}`);
    names.add(tensor.name);
  }
}

function validateTensor(config: ModelConfig, kind: string, tensor: Tensor): void {
  const refused = (what: string) => invalid(`model ${kind} ${what} for ${config.name}`);
  if (tensor.name === '') throw refused("must specify 'name'");
  const subject = `'${tensor.name}'`;
  if (tensor.data_type === 'TYPE_INVALID') throw refused(`${subject} must specify 'data_type'`);
  if (tensor.dims.length === 0) throw refused(`${subject} must specify 'dims'`);
  if (!tensor.dims.every(isDimension)) {
    throw refused(`${subject} dimension must be integer >= 1, or -1 to indicate a variable-size dimension`);
  }
  if (!isBounded(tensor, config.max_batch_size)) {
    throw refused(
      `${subject} has dims ${shapeText(tensor.dims)}, of which a full batch has more than ${Number.MAX_SAFE_INTEGER} bytes`,
    );
  }
  if (tensor.reshape !== undefined) validateReshape(config, tensor, tensor.reshape.shape, refused);
  if ('format' in tensor && tensor.format !== 'FORMAT_NONE' && tensor.dims.length !== 3) {
    throw invalid(`model input NHWC/NCHW require 3 dims for ${config.name}`);
  }
  if (config.platform === 'tensorrt_plan') return;
  if (tensor.is_shape_tensor) throw refused(`${subject}: shape tensors are only supported for TensorRT platform`);
  if (tensor.is_non_linear_format_io) {
    throw refused(`${subject}: Non-linear IO format is only supported for the TensorRT platform`);
  }
}

/** A size, or -1 = any. Parsing keeps integers beyond 2^53 as bigints, which are no sizes. */
export function isDimension(dim: number): boolean {
  return dim === -1 || (Number.isSafeInteger(dim) && dim >= 1);
}

/** The bytes of a full batch must be countable. */
function isBounded(tensor: Tensor, maxBatchSize: number): boolean {
  let bytes = Math.max(1, maxBatchSize) * Math.max(1, elementBytes[configDataType(tensor.data_type)]);
  for (const dim of tensor.dims) if (dim > 0) bytes *= dim;
  return Number.isSafeInteger(bytes);
}

type Refuse = (what: string) => Error;

function validateReshape(config: ModelConfig, tensor: Tensor, shape: readonly number[], refused: Refuse): void {
  const subject = `'${tensor.name}'`;
  if (!shape.every(isDimension)) {
    throw refused(`${subject} reshape dimensions must be integer >= 1, or -1 to indicate a variable-size dimension`);
  }
  if (config.max_batch_size === 0 && shape.length === 0) {
    throw refused(`${subject} cannot have empty reshape for non-batching model as scalar tensors are not supported`);
  }
  const from = fixedRuns(tensor.dims);
  const to = fixedRuns(shape);
  const bothVary = tensor.dims.includes(-1) && shape.includes(-1);
  if (bothVary && from.length !== to.length) {
    throw refused(`${subject} has different number of variable-size dimensions for dims and reshape`);
  }
  if (!sameShape(from, to)) throw refused(`${subject} has different size for dims and reshape`);
}

/** Products of the dimensions before, between and behind the variable ones. */
function fixedRuns(dims: readonly number[]): number[] {
  const runs = [1];
  for (const dim of dims) {
    if (dim === -1) runs.push(1);
    else runs[runs.length - 1]! *= dim;
  }
  return runs;
}

/** `batch_input` and `batch_output`. */
export function validateBatchIo(config: ModelConfig): void {
  const outputs = new Set(config.output.map((output) => output.name));
  const fed = new Set([...config.input.map((input) => input.name), ...sequenceInputs(config)]);
  for (const { kind, data_type, source_input, target_name } of config.batch_input) {
    checkSources(config, 'batch input', kind, source_input);
    for (const name of target_name) {
      if (fed.has(name)) throw invalid(`target input name '${name}' can only be specified once`);
      fed.add(name);
    }
    if (data_type !== 'TYPE_INT32' && data_type !== 'TYPE_FP32') {
      throw invalid('batch input data type must be TYPE_INT32 or TYPE_FP32');
    }
  }
  const targets = new Set<string>();
  for (const { kind, target_name, source_input } of config.batch_output) {
    checkSources(config, 'batch output', kind, source_input);
    for (const name of target_name) {
      if (!outputs.has(name)) throw invalid(`unknown target output name '${name}'`);
      if (targets.has(name)) throw invalid(`target output name '${name}' can only be specified once`);
      targets.add(name);
      checkScattered(config, name, source_input[0]!);
    }
  }
}

/** Inputs of the model that sequences feed. */
function sequenceInputs({ sequence_batching }: ModelConfig): string[] {
  const controls = sequence_batching?.control_input.map(({ name }) => name) ?? [];
  const states = sequence_batching?.state.map(({ input_name }) => input_name) ?? [];
  return [...controls, ...states];
}

function checkSources(config: ModelConfig, what: string, kind: string, sources: readonly string[]): void {
  if (sources.length !== 1) throw invalid(`${what} kind '${kind}' expects 1 source input, got ${sources.length}`);
  const source = config.input.find(({ name }) => name === sources[0]);
  if (source === undefined) throw invalid(`unknown source input name '${sources[0]}'`);
  if (source.optional)
    throw invalid(`source input name '${source.name}' is optional, which is not supported for ${what}s`);
}

/** A variable dimension of a scattered output is that of its source, at the same place. */
function checkScattered(config: ModelConfig, target: string, source: string): void {
  const dims = modelDims(config.output.find(({ name }) => name === target)!);
  const { length } = modelDims(config.input.find(({ name }) => name === source)!);
  const beyond = dims.findIndex((dim, index) => dim === -1 && index >= length);
  if (beyond < 0) return;
  throw invalid(
    `target output name '${target}' has a variable-size dimension ${beyond}, but source input '${source}' has ${length} dimensions`,
  );
}

function modelDims({ reshape, dims }: ModelInput | ModelOutput): readonly number[] {
  return reshape?.shape ?? dims;
}
