import { type DataType, elementBytes, isDataType } from '../types/datatype.js';
import { invalid, type ServerError } from '../types/errors.js';
import type { InferHead, InputHead } from '../types/infer.js';
import { elementCount, type Shape, shapeText } from '../types/tensor.js';
import { type ModelTensor, type ModelTensors, toBackend } from './model-tensors.js';

/** One input of a request that fits its model. */
export interface PlannedInput {
  /** Its place in the model's configuration. */
  readonly index: number;
  readonly head: InputHead;
  readonly datatype: DataType;
  readonly elements: number;
  /** -1 = BYTES: known only when the data is. */
  readonly bytes: number;
  /** With the batch dimension, where there is one. */
  readonly backendDims: Shape;
}

export interface PlannedOutput {
  /** Its place in the model's configuration. */
  readonly index: number;
  readonly binary: boolean;
  readonly classCount: number;
}

/** A head that fits a model: all that can be known of a request before its data. Immutable, kept as long as its head. */
export interface InferPlan {
  readonly head: InferHead;
  /** In the order of the request, which is the order of its binary data. */
  readonly inputs: readonly PlannedInput[];
  readonly outputs: readonly PlannedOutput[];
  /** 0 = the model does not batch. */
  readonly batchSize: number;
  /** Requests with different keys never share an execution; '' = the model has one shape only. */
  readonly batchKey: string;
  /** All inputs together; -1 = not known before the data. */
  readonly inputBytes: number;
  /** Its id is told to the model, or in errors that are found behind the head: a request with another id needs another plan. */
  readonly isPerId: boolean;
  /** A tensor of it lies in shared memory of its client: requests are admitted by `admitWithRegions`. */
  readonly usesRegions: boolean;
}

/**
 * Holds a head against a model, in Triton's order: outputs exist, number of inputs, batch dimensions, then datatype, shape and byte
 * size of each input (fact sheet 2.5). Throws INVALID_ARGUMENT with Triton's texts.
 */
export function checkRequest(model: string, tensors: ModelTensors, head: InferHead): InferPlan {
  const outputs = planOutputs(model, tensors, head);
  checkInputCount(model, tensors, head);
  const inputs = head.inputs.map((input) => indexOf(model, tensors, input));
  const batchSize = commonBatchSize(model, tensors, head);
  const planned = head.inputs.map((input, i) => planInput(model, tensors, inputs[i]!, input, head.id));
  checkCorrelationId(model, tensors, head);
  return {
    head,
    inputs: planned,
    outputs,
    batchSize,
    batchKey: batchKeyOf(tensors, planned),
    inputBytes: planned.some((input) => input.bytes < 0) ? -1 : planned.reduce((sum, input) => sum + input.bytes, 0),
    isPerId: tensors.tellsIds || planned.some(({ datatype }) => datatype === 'BYTES'),
    usesRegions:
      head.inputs.some(({ source }) => source.kind === 'shared') || head.outputs.some(({ shared }) => shared !== null),
  };
}

/** `[request id: ID] `, which the core's messages begin with. */
export function requestTag(id: string): string {
  return `[request id: ${id === '' ? '<id_unknown>' : id}] `;
}

function planOutputs(model: string, tensors: ModelTensors, head: InferHead): PlannedOutput[] {
  if (head.outputs.length === 0) {
    return tensors.outputs.map((_, index) => ({ index, binary: head.binaryOutput, classCount: 0 }));
  }
  return head.outputs.map((output) => {
    const index = tensors.outputIndex.get(output.name);
    if (index === undefined) throw invalid(`unexpected inference output '${output.name}' for model '${model}'`);
    return { index, binary: output.binary, classCount: output.classCount };
  });
}

function checkInputCount(model: string, tensors: ModelTensors, head: InferHead): void {
  const count = head.inputs.length;
  const most = tensors.inputs.length;
  const least = tensors.requiredInputs;
  const given = new Set(head.inputs.map((input) => input.name));
  const missing = tensors.inputs
    .filter((input) => !input.optional && !given.has(input.name))
    .map((input) => input.name);
  const isCounted = count <= most && count >= least;
  if (isCounted && (missing.length === 0 || hasUnknown(tensors, head))) return;
  const expected =
    least === most ? `expected ${most} inputs` : `expected number of inputs between ${least} and ${most}`;
  throw invalid(
    `${requestTag(head.id)}${expected} but got ${count} inputs for model '${model}'. Got input(s) ${names([...given])}, ` +
      `but missing required input(s) ${names(missing)}. Please provide all required input(s).`,
  );
}

function hasUnknown(tensors: ModelTensors, head: InferHead): boolean {
  return head.inputs.some((input) => !tensors.inputIndex.has(input.name));
}

function names(list: readonly string[]): string {
  return `[${list.map((name) => `'${name}'`).join(',')}]`;
}

function indexOf(model: string, tensors: ModelTensors, input: InputHead): number {
  const index = tensors.inputIndex.get(input.name);
  if (index === undefined) throw invalid(`unexpected inference input '${input.name}' for model '${model}'`);
  return index;
}

function commonBatchSize(model: string, tensors: ModelTensors, head: InferHead): number {
  if (tensors.maxBatchSize === 0) return 0;
  const tag = requestTag(head.id);
  let batchSize = -1;
  for (const { name, shape } of head.inputs) {
    if (shape.length === 0) {
      throw invalid(`${tag}input '${name}' has no shape but model requires batch dimension for '${model}'`);
    }
    if (batchSize >= 0 && shape[0] !== batchSize) {
      throw invalid(`${tag}input '${name}' batch size does not match other inputs for '${model}'`);
    }
    batchSize = shape[0]!;
  }
  if (batchSize > tensors.maxBatchSize) {
    throw invalid(`${tag}inference request batch-size must be <= ${tensors.maxBatchSize} for '${model}'`);
  }
  if (batchSize === 0) {
    throw invalid(
      `${tag}inference request batch-size must be >= 1 for '${model}', got shape ${shapeText(head.inputs[0]!.shape)}`,
    );
  }
  return Math.max(1, batchSize);
}

function planInput(model: string, tensors: ModelTensors, index: number, head: InputHead, id: string): PlannedInput {
  const tensor = tensors.inputs[index]!;
  const tag = requestTag(id);
  if (head.datatype !== tensor.datatype) {
    const got = isDataType(head.datatype) ? head.datatype : '<invalid>';
    throw invalid(
      `${tag}inference input '${head.name}' data-type is '${got}', but model '${model}' expects '${tensor.datatype}'`,
    );
  }
  if (head.shape.some((dim) => dim < 0)) {
    throw invalid(
      `${tag}All input dimensions should be specified for input '${head.name}' for model '${model}', got ${shapeText(head.shape)}`,
    );
  }
  const batching = tensors.maxBatchSize > 0;
  const own = batching ? head.shape.slice(1) : head.shape;
  if (!fitsDims(own, tensor.dims)) throw shapeError(tag, model, tensor, head.shape, batching);
  const elements = elementCount(head.shape);
  const bytes = tensor.datatype === 'BYTES' ? -1 : elements * elementBytes[tensor.datatype];
  checkByteSize(tag, model, head, bytes);
  const backend = toBackend(tensor, own);
  const backendDims = batching ? [head.shape[0]!, ...backend] : backend;
  return { index, head, datatype: tensor.datatype, elements, bytes, backendDims };
}

/** @param dims of the configuration: -1 = any */
export function fitsDims(shape: Shape, dims: Shape): boolean {
  return shape.length === dims.length && dims.every((dim, i) => dim === -1 || dim === shape[i]);
}

function shapeError(tag: string, model: string, tensor: ModelTensor, got: Shape, batching: boolean): ServerError {
  const expected = batching ? [-1, ...tensor.dims] : tensor.dims;
  const note = batching
    ? 'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. ' +
      'If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. ' +
      'See the model configuration docs for more info on max_batch_size.'
    : '';
  return invalid(
    `${tag}unexpected shape for input '${tensor.name}' for model '${model}'. Expected ${shapeText(expected)}, got ${shapeText(got)}. ${note}`,
  );
}

function checkByteSize(tag: string, model: string, head: InputHead, bytes: number): void {
  if (bytes < 0 || head.source.kind === 'json' || head.source.byteSize === bytes) return;
  throw invalid(
    `${tag}input byte size mismatch for input '${head.name}' for model '${model}'. Expected ${bytes}, got ${head.source.byteSize}`,
  );
}

/** A model that is given the id takes texts or numbers, not one for the other. That there is one at all is for the scheduler to say. */
function checkCorrelationId(model: string, { correlationId }: ModelTensors, { id, sequenceId }: InferHead): void {
  if (correlationId === null || sequenceId === 0 || sequenceId === '') return;
  const { name, datatype } = correlationId;
  const isText = typeof sequenceId === 'string';
  if (isText === (datatype === 'BYTES')) return;
  throw invalid(
    `${requestTag(id)}sequence batching control '${name}' data-type is '${isText ? 'BYTES' : 'UINT64'}', but model '${model}' expects '${datatype}'`,
  );
}

/** Shapes without batch dimension and the set of inputs, where either may not differ within a batch. */
function batchKeyOf(tensors: ModelTensors, inputs: readonly PlannedInput[]): string {
  const isFixed = ({ dims, ragged, optional }: ModelTensor) => (ragged || !dims.includes(-1)) && !optional;
  if (tensors.inputs.every(isFixed)) return '';
  const first = tensors.maxBatchSize > 0 ? 1 : 0;
  const parts = inputs.map(({ index, backendDims }) => {
    const shape = tensors.inputs[index]!.ragged ? [] : backendDims.slice(first);
    return `${index}:${shape.join('x')}`;
  });
  return parts.sort().join(' ');
}
