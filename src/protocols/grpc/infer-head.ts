import { requestTag } from '../../core/check-request.js';
import { elementBytes, isDataType } from '../../types/datatype.js';
import { invalid, type ServerError } from '../../types/errors.js';
import type { InferHead, InputHead, OutputHead } from '../../types/infer.js';
import { elementCount } from '../../types/tensor.js';
import { MOST_ELEMENTS, regionAnd, sharedMemoryRefused, tooManyElements } from '../v2-json.js';
import type { WireInferRequest, WireInput, WireOutput } from './infer-message.js';
import { REGION, readClassCount, readRegionRange, readRequestParameters } from './infer-parameters.js';
import { measureContents } from './typed-contents.js';

/**
 * What a message asks for, in the terms of no protocol (fact sheet 3.4, 3.5). Throws INVALID_ARGUMENT with Triton's texts, UNSUPPORTED
 * for shared memory unless `sharedMemory` is true.
 * @param isWhole false = the message is only its part before the raw entries: each input is taken to have one of the right size
 */
export function inferHead(bytes: Buffer, wire: WireInferRequest, isWhole: boolean, sharedMemory: boolean): InferHead {
  if (!sharedMemory) refuseRegions(wire);
  const parameters = readRequestParameters(wire.parameters);
  const sizes = isWhole ? new SizesOfWhole(bytes, wire) : new SizesToCome();
  const inputs = wire.inputs.map((input) => readInput(input, sizes, wire.modelName));
  const outputs = wire.outputs.map(readOutput);
  checkDistinct(inputs, requestTag(wire.id), 'input');
  checkDistinct(outputs, '', 'output');
  return { id: wire.id, ...parameters, inputs, outputs, binaryOutput: true };
}

function readInput(input: WireInput, sizes: InputSizes, model: string): InputHead {
  const { name, datatype, shape, parameters } = input;
  let elements = 1;
  for (const dim of shape) elements *= Math.max(1, Math.abs(dim));
  if (elements > MOST_ELEMENTS) throw tooManyElements(name, shape);
  const shared = readRegionRange(name, parameters);
  if (shared === null) return { name, datatype, shape, source: { kind: 'binary', byteSize: sizes.next(input) } };
  if (input.contents.length === 0) return { name, datatype, shape, source: { kind: 'shared', ...shared } };
  throw invalid(
    `unexpected 'content' provided when using shared memory for input tensor '${name}' for model '${model}'`,
  );
}

function readOutput({ name, parameters }: WireOutput): OutputHead {
  const shared = readRegionRange(name, parameters);
  const classCount = readClassCount(parameters);
  if (shared !== null && classCount > 0) throw regionAnd('classification');
  return { name, binary: true, classCount, shared };
}

function refuseRegions({ inputs, outputs }: WireInferRequest): void {
  for (const { name, parameters } of inputs) if (parameters.has(REGION)) throw sharedMemoryRefused(`input '${name}'`);
  for (const { name, parameters } of outputs) if (parameters.has(REGION)) throw sharedMemoryRefused(`output '${name}'`);
}

function checkDistinct(tensors: readonly { readonly name: string }[], tag: string, kind: 'input' | 'output'): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw invalid(`${tag}${kind} '${name}' already exists in request`);
    names.add(name);
  }
}

/** Bytes of the inputs, asked for in order. */
interface InputSizes {
  next(input: WireInput): number;
}

class SizesOfWhole implements InputSizes {
  readonly #bytes: Buffer;
  readonly #wire: WireInferRequest;
  #raw = 0;

  constructor(bytes: Buffer, wire: WireInferRequest) {
    this.#bytes = bytes;
    this.#wire = wire;
  }

  next(input: WireInput): number {
    const { raw, modelName } = this.#wire;
    const isTyped = input.contents.length > 0;
    if (isTyped && raw.length > 0) {
      throw invalid(
        `contents field must not be specified when using raw_input_contents for '${input.name}' for model '${modelName}'`,
      );
    }
    if (isTyped) return measureContents(this.#bytes, input, modelName);
    const range = raw[this.#raw++];
    if (range === undefined) throw noData(input.name, modelName);
    return range.end - range.begin;
  }
}

class SizesToCome implements InputSizes {
  next({ datatype, shape }: WireInput): number {
    return isDataType(datatype) ? elementCount(shape) * elementBytes[datatype] : 0;
  }
}

export function noData(input: string, model: string): ServerError {
  return invalid(`unable to find data for input tensor '${input}' for model '${model}' in request.`);
}
