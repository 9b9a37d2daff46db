import { requestTag } from '../../core/check-request.js';
import { elementBytes, isDataType } from '../../types/datatype.js';
import { invalid, type ServerError } from '../../types/errors.js';
import type { InferHead, InputHead, OutputHead } from '../../types/infer.js';
import { elementCount } from '../../types/tensor.js';
import { MOST_ELEMENTS, sharedMemoryRefused, tooManyElements } from '../v2-json.js';
import type { WireInferRequest, WireInput, WireOutput } from './infer-message.js';
import { readClassCount, readRequestParameters } from './infer-parameters.js';
import { measureContents } from './typed-contents.js';

/**
 * What a message asks for, in the terms of no protocol (fact sheet 3.4, 3.5). Throws INVALID_ARGUMENT with Triton's texts, UNSUPPORTED
 * for shared memory.
 * @param isWhole false = the message is only its part before the raw entries: each input is taken to have one of the right size
 */
export function inferHead(bytes: Buffer, wire: WireInferRequest, isWhole: boolean): InferHead {
  const parameters = readRequestParameters(wire.parameters);
  const sizes = isWhole ? new SizesOfWhole(bytes, wire) : new SizesToCome();
  const inputs = wire.inputs.map((input) => readInput(input, sizes));
  const outputs = wire.outputs.map(readOutput);
  checkDistinct(inputs, requestTag(wire.id), 'input');
  checkDistinct(outputs, '', 'output');
  return { id: wire.id, ...parameters, inputs, outputs, binaryOutput: true };
}

function readInput(input: WireInput, sizes: InputSizes): InputHead {
  const { name, datatype, shape, parameters } = input;
  if (parameters.has('shared_memory_region')) throw sharedMemoryRefused(`input '${name}'`);
  let elements = 1;
  for (const dim of shape) elements *= Math.max(1, Math.abs(dim));
  if (elements > MOST_ELEMENTS) throw tooManyElements(name, shape);
  return { name, datatype, shape, source: { kind: 'binary', byteSize: sizes.next(input) } };
}

function readOutput({ name, parameters }: WireOutput): OutputHead {
  if (parameters.has('shared_memory_region')) throw sharedMemoryRefused(`output '${name}'`);
  return { name, binary: true, classCount: readClassCount(parameters), shared: null };
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
