import { checkRequest, fitsDims, type InferPlan } from '../core/check-request.js';
import type { ModelTensor } from '../core/model-tensors.js';
import type { ServedModel } from '../core/served-model.js';
import { elementBytes } from '../types/datatype.js';
import { invalid, ServerError } from '../types/errors.js';
import type { InferHead, InputHead, OutputHead, TensorSource } from '../types/infer.js';
import { elementCount, type Shape, shapeText } from '../types/tensor.js';
import { SEQUENCE_END, SEQUENCE_START, type V1Form, type V1Input, type V1Particulars } from './v1-request.js';

/** What the answers to a form begin or end with, where only their tensors and ids differ. */
export interface PreparedV1Reply {
  readonly line: string;
  readonly text: string;
  readonly binary: Uint8Array;
}

/** A form that fits its model, and what the answers to it have in common as soon as the first is written. */
export interface V1Plan {
  readonly model: ServedModel;
  readonly form: V1Form;
  readonly plan: InferPlan;
  /** Bytes that each input takes in memory, in the order of the request. */
  readonly sizes: readonly number[];
  /** Bytes of each that come with the request: none of those in shared memory. */
  readonly binaryBytes: readonly number[];
  /** Sum of them. */
  readonly bodyBytes: number;
  /** Null = not known yet, or answers differ in more than the elements of their tensors. */
  reply: PreparedV1Reply | null;
}

/**
 * Holds a request against a model in the order of 19.11 (v1 fact sheet 1.9). Throws INVALID_ARGUMENT.
 * @param particulars of a request of this form: those of another may only differ in ids
 */
export function planV1(model: ServedModel, form: V1Form, particulars: V1Particulars): V1Plan {
  checkBatchSize(model, form.batchSize);
  checkOnce(model, 'input', form.inputs);
  const head: InferHead = {
    id: particulars.id === 0 ? '' : String(particulars.id),
    priority: 0,
    timeoutUs: 0,
    sequenceId: particulars.correlationId,
    sequenceStart: (particulars.flags & SEQUENCE_START) !== 0,
    sequenceEnd: (particulars.flags & SEQUENCE_END) !== 0,
    inputs: form.inputs.map((input) => inputHead(model, input, form.batchSize)),
    outputs: form.outputs.map(outputHead),
    binaryOutput: true,
    parameters: new Map(),
  };
  checkOnce(model, 'output', form.outputs);
  const checked = checkRequest(model.name, model.tensors, head);
  if (checked.batchSize > 0 && checked.batchSize !== form.batchSize)
    throw invalid(`batch-size ${form.batchSize} for '${model.name}' needs an input, got none`);
  // A list of outputs without an entry asks for none.
  const plan = form.outputs.length === 0 ? { ...checked, outputs: [] } : checked;
  const sizes = head.inputs.map(({ source }) => (source.kind === 'json' ? 0 : source.byteSize));
  const binaryBytes = head.inputs.map(({ source }) => (source.kind === 'binary' ? source.byteSize : 0));
  return {
    model,
    form,
    plan,
    sizes,
    binaryBytes,
    bodyBytes: binaryBytes.reduce((sum, bytes) => sum + bytes, 0),
    reply: null,
  };
}

function checkBatchSize({ name, tensors }: ServedModel, batchSize: number): void {
  if (batchSize < 1) throw invalid(`inference request batch-size must be >= 1 for '${name}'`);
  if (batchSize === 1 || batchSize <= tensors.maxBatchSize) return;
  throw invalid(`inference request batch-size must be <= ${Math.max(1, tensors.maxBatchSize)} for '${name}'`);
}

function checkOnce(
  { name }: ServedModel,
  what: 'input' | 'output',
  tensors: readonly { readonly name: string }[],
): void {
  const seen = new Set<string>();
  for (const tensor of tensors) {
    if (seen.has(tensor.name)) throw invalid(`${what} '${tensor.name}' is listed twice in the request for '${name}'`);
    seen.add(tensor.name);
  }
}

function inputHead(model: ServedModel, input: V1Input, batchSize: number): InputHead {
  const { tensors } = model;
  const index = tensors.inputIndex.get(input.name);
  if (index === undefined) throw invalid(`unexpected inference input '${input.name}' for model '${model.name}'`);
  const tensor = tensors.inputs[index]!;
  const own = input.dims.length > 0 ? input.dims : configuredDims(model, tensor);
  checkDims(model, tensor, own);
  const shape = tensors.maxBatchSize > 0 ? [batchSize, ...own] : own;
  checkElements(model, input, shape);
  const byteSize = byteSizeOf(model, tensor, input, shape);
  return { name: input.name, datatype: tensor.datatype, shape, source: sourceOf(model, input, byteSize) };
}

function configuredDims({ name }: ServedModel, tensor: ModelTensor): Shape {
  if (!tensor.dims.includes(-1)) return tensor.dims;
  throw invalid(`model '${name}' has a variable-size input '${tensor.name}': the request must give its dims`);
}

/** In the terms of V1, where no shape has the batch dimension. */
function checkDims({ name }: ServedModel, tensor: ModelTensor, dims: Shape): void {
  if (fitsDims(dims, tensor.dims)) return;
  throw invalid(
    `unexpected dims of input '${tensor.name}' for model '${name}': expected ${shapeText(tensor.dims)}, got ${shapeText(dims)}`,
  );
}

function checkElements({ name }: ServedModel, input: V1Input, shape: Shape): void {
  if (shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && Number.isSafeInteger(elementCount(shape))) return;
  throw invalid(`dims of input '${input.name}' for model '${name}' must be 0 or more, got [${input.dims.join(',')}]`);
}

/** Of the whole batch. Strings have the size that the request says. */
function byteSizeOf({ name }: ServedModel, { datatype }: ModelTensor, input: V1Input, shape: Shape): number {
  if (datatype === 'BYTES') return bytesOfStrings(name, input, shape);
  const bytes = elementCount(shape) * elementBytes[datatype];
  if (input.batchByteSize === 0 || input.batchByteSize === bytes) return bytes;
  throw invalid(
    `specific batch-byte-size for input '${input.name}' does not match expected byte-size calculated from shape and datatype for model '${name}': expected ${bytes}, got ${input.batchByteSize}`,
  );
}

function bytesOfStrings(model: string, { name, batchByteSize }: V1Input, shape: Shape): number {
  if (batchByteSize > 0 || elementCount(shape) === 0) return batchByteSize;
  throw invalid(
    `input '${name}' for model '${model}' has ${elementCount(shape)} strings and no batch_byte_size: expected the bytes of all of them, with 4 for the length of each`,
  );
}

function sourceOf({ name }: ServedModel, input: V1Input, byteSize: number): TensorSource {
  if (input.shared === null) return { kind: 'binary', byteSize };
  if (input.shared.byteSize === byteSize) return { kind: 'shared', ...input.shared };
  throw invalid(
    `unexpected shared-memory size ${input.shared.byteSize} for input '${input.name}', expecting ${byteSize} for model '${name}'`,
  );
}

function outputHead({ name, shared }: V1Form['outputs'][number]): OutputHead {
  return { name, binary: true, classCount: 0, shared };
}

/** Throws NOT_FOUND for a region that is not registered, UNSUPPORTED where clients may have none. */
export function checkBlocks({ regions }: { regions: BlockNames }, { plan }: V1Plan): void {
  if (!plan.usesRegions) return;
  regions.checkAllowed();
  const inputs = plan.inputs.map(({ head }) => (head.source.kind === 'shared' ? head.source.region : null));
  const outputs = plan.head.outputs.map(({ shared }) => shared?.region ?? null);
  for (const name of [...inputs, ...outputs]) {
    if (name !== null && !regions.has(name))
      throw new ServerError('NOT_FOUND', `shared memory block '${name}' not found in manager`);
  }
}

interface BlockNames {
  has(name: string): boolean;
  checkAllowed(): void;
}
