import type { StateLayout } from '../backends/worker-protocol.js';
import { configDataType } from '../config/datatype.js';
import type { ConfigDataType, ModelConfig, ModelWarmup } from '../config/model-config.js';
import { type DataType, elementBytes } from '../types/datatype.js';
import { asServerError, invalid, type ServerError } from '../types/errors.js';
import type { InputHead } from '../types/infer.js';
import { elementCount, type Shape, shapeText } from '../types/tensor.js';
import { checkRequest, type InferPlan, requestTag } from './check-request.js';
import { checkStrings } from './check-strings.js';
import type { ModelTensors } from './model-tensors.js';
import { type ControlSpec, controlsOf } from './sequence-controls.js';

/** One tensor of the requests of a sample. */
export interface WarmupTensor {
  /** In a request's tensor table: inputs, controls and states, in this order. */
  readonly line: number;
  readonly datatype: DataType;
  /** As the backend sees it, with a batch dimension of 1 where the model batches. */
  readonly dims: Shape;
  readonly bytes: number;
  /** Or its bytes, `bytes` of them. */
  readonly data: 'zero' | 'random' | Uint8Array;
}

/** One entry of `model_warmup`, ready to run. */
export interface WarmupSample {
  readonly name: string;
  /** How often it runs. */
  readonly executions: number;
  /** Requests of one row in each execution; all have the same tensors. */
  readonly requests: number;
  readonly tensors: readonly WarmupTensor[];
}

/** All that samples are held against. */
export interface WarmupModel {
  readonly config: ModelConfig;
  readonly tensors: ModelTensors;
  readonly states: readonly StateLayout[];
  /** By the names in the configuration. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

type SampleInput = ModelWarmup['inputs'][string];

/** A tensor that the server feeds, which a sample may give itself. Shapes have the batch dimension. */
interface Fed {
  readonly name: string;
  readonly datatype: DataType;
  /** -1 = any. */
  readonly dims: Shape;
  /** What it is where the sample leaves it out. */
  readonly defaultDims: Shape;
  readonly defaultData: Uint8Array;
}

/**
 * The samples that run, in the order of the configuration (fact sheet 5.8). Throws INVALID_ARGUMENT where one does not fit its model,
 * with the texts of a request whose id is the sample's name.
 */
export function warmupSamples(model: WarmupModel): WarmupSample[] {
  return model.config.model_warmup.filter(({ batch_size }) => batch_size > 0).map((sample) => prepare(model, sample));
}

/** How the load of a model ends whose sample failed. */
export function warmupFailed(sample: string, error: unknown): ServerError {
  return invalid(`failed to run warmup sample '${sample}': ${asServerError(error).message}; `);
}

function prepare(model: WarmupModel, sample: ModelWarmup): WarmupSample {
  const { tensors } = model;
  const fed = fedOf(model);
  const plan = named(sample, () => planOf(model, sample, new Set(fed.map(({ name }) => name))));
  const sent = plan.inputs.map(({ index, head: { name }, datatype, backendDims, elements }) => {
    const data = dataOf(model, sample, { name, datatype, elements });
    return { line: index, datatype, dims: backendDims, ...data };
  });
  const others = fed.map((one, nth) => fedTensor(model, sample, one, tensors.inputs.length + nth));
  return {
    name: sample.name,
    executions: Math.max(1, sample.count),
    requests: tensors.maxBatchSize > 0 ? sample.batch_size : 1,
    tensors: [...sent, ...others],
  };
}

/** Runs a check that any request is held against: what it throws says that the request is a sample. */
function named<T>(sample: ModelWarmup, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw warmupFailed(sample.name, error);
  }
}

/** What clients send of the sample, as one request of one row. */
function planOf({ config, tensors }: WarmupModel, sample: ModelWarmup, fed: ReadonlySet<string>): InferPlan {
  const { maxBatchSize } = tensors;
  if (maxBatchSize > 0 && sample.batch_size > maxBatchSize) {
    throw invalid(`batch size ${sample.batch_size} for '${config.name}', max allowed is ${maxBatchSize}`);
  }
  const sent = Object.entries(sample.inputs).filter(([name]) => !fed.has(name));
  const unknown = sent.find(([name]) => !tensors.inputIndex.has(name));
  if (unknown !== undefined) {
    throw invalid(`${requestTag(sample.name)}unexpected inference input '${unknown[0]}' for model '${config.name}'`);
  }
  return checkRequest(config.name, tensors, {
    id: sample.name,
    priority: 0,
    timeoutUs: 0,
    sequenceId: 0,
    sequenceStart: false,
    sequenceEnd: false,
    inputs: sent.map(([name, input]) => inputHead(name, input, maxBatchSize > 0)),
    outputs: [],
    binaryOutput: true,
    parameters: new Map(),
  });
}

function inputHead(name: string, { data_type, dims }: SampleInput, batching: boolean): InputHead {
  const shape = batching ? [1, ...dims] : dims;
  const datatype = datatypeOf(data_type);
  const byteSize = datatype === null ? 0 : elementCount(shape) * elementBytes[datatype];
  return { name, datatype: datatype ?? '', shape, source: { kind: 'binary', byteSize } };
}

/** Null = the sample does not say. */
function datatypeOf(name: ConfigDataType): DataType | null {
  return name === 'TYPE_INVALID' ? null : configDataType(name);
}

/** The controls and the states of a model with sequences, in the order of their lines. */
function fedOf({ config, tensors, states }: WarmupModel): Fed[] {
  const batch = tensors.maxBatchSize > 0 ? [1] : [];
  const controls = controlsOf(config).map((control) => {
    const dims = [...batch, 1];
    return { ...control, dims, defaultDims: dims, defaultData: beginning(control) };
  });
  const kept = states.map(({ input, datatype, dims, initialDims, initial }) => ({
    name: input,
    datatype,
    dims: [...batch, ...dims],
    defaultDims: [...batch, ...initialDims],
    defaultData: initial,
  }));
  return [...controls, ...kept];
}

/** Of a sequence that begins, whose id is 0 or an empty text: zeros either way. */
function beginning({ kind, datatype, no, yes }: ControlSpec): Uint8Array {
  if (kind === 'CONTROL_SEQUENCE_CORRID') return new Uint8Array(elementBytes[datatype] || 4);
  return kind === 'CONTROL_SEQUENCE_END' ? no : yes;
}

/** As the sample gives it; else as it is when a sequence begins. */
function fedTensor(model: WarmupModel, sample: ModelWarmup, fed: Fed, line: number): WarmupTensor {
  const { name, datatype, defaultDims, defaultData } = fed;
  const input = sample.inputs[name];
  if (input === undefined) return { line, datatype, dims: defaultDims, bytes: defaultData.length, data: defaultData };
  const dims = named(sample, () => fedDims(model, requestTag(sample.name), fed, input));
  return { line, datatype, dims, ...dataOf(model, sample, { name, datatype, elements: elementCount(dims) }) };
}

/** All dimensions of it: where the model batches a sample may leave out the first, which is 1. */
function fedDims(
  model: WarmupModel,
  tag: string,
  { name, datatype, dims }: Fed,
  input: SampleInput,
): readonly number[] {
  const own = model.config.name;
  const given = datatypeOf(input.data_type);
  if (given !== datatype) {
    const got = given ?? '<invalid>';
    throw invalid(`${tag}inference input '${name}' data-type is '${got}', but model '${own}' expects '${datatype}'`);
  }
  const full = model.tensors.maxBatchSize > 0 && input.dims.length < dims.length ? [1, ...input.dims] : input.dims;
  if (full.length === dims.length && dims.every((dim, i) => dim === -1 || dim === full[i])) return full;
  throw invalid(
    `${tag}unexpected shape for input '${name}' for model '${own}'. Expected ${shapeText(dims)}, got ${shapeText(full)}. ` +
      'NOTE: the first dimension is that of the batch where the model batches, and may be left out.',
  );
}

function dataOf(
  { config, files }: WarmupModel,
  sample: ModelWarmup,
  tensor: { readonly name: string; readonly datatype: DataType; readonly elements: number },
): Pick<WarmupTensor, 'bytes' | 'data'> {
  const { name, datatype, elements } = tensor;
  const { input_data_file, random_data } = sample.inputs[name]!;
  const tag = requestTag(sample.name);
  const file = input_data_file === undefined ? null : files.get(input_data_file)!;
  if (datatype === 'BYTES') {
    // An empty string is four bytes of zeros.
    if (file === null) return { bytes: 4 * elements, data: 'zero' };
    named(sample, () => checkStrings(file, elements, { tag, input: name, model: config.name }));
    return { bytes: file.length, data: file };
  }
  const bytes = elements * elementBytes[datatype];
  if (file === null) return { bytes, data: random_data === undefined ? 'zero' : 'random' };
  if (file.length >= bytes) return { bytes, data: file.subarray(0, bytes) };
  throw invalid(
    `${tag}warmup setting expects ${bytes} bytes, but the data provided from fileonly has ${file.length} bytes`,
  );
}
