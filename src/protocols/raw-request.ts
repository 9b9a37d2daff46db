import { checkRequest } from '../core/check-request.js';
import type { ModelTensor } from '../core/model-tensors.js';
import type { ServedModel } from '../core/served-model.js';
import { elementBytes } from '../types/datatype.js';
import { invalid } from '../types/errors.js';
import type { InferHead } from '../types/infer.js';
import { type PreparedHead, prepareHead } from './head-cache.js';

/**
 * The head of a raw request: the body is the content of the model's only input, whose name, datatype and shape are deduced; all
 * outputs come back binary (fact sheet 1.10).
 */
export function rawHead(model: ServedModel, bodyBytes: number): PreparedHead {
  const { inputs } = model.tensors;
  if (inputs.length !== 1) {
    throw invalid(
      `Raw request must only have 1 input (found 1) to be deduced but got ${inputs.length} inputs in '${model.name}' model configuration`,
    );
  }
  const input = inputs[0]!;
  const head: InferHead = {
    id: '',
    priority: 0,
    timeoutUs: 0,
    sequenceId: 0,
    sequenceStart: false,
    sequenceEnd: false,
    inputs: [
      {
        name: input.name,
        datatype: input.datatype,
        shape: rawShape(input, bodyBytes, model.tensors.maxBatchSize > 0),
        source: { kind: 'binary', byteSize: bodyBytes },
      },
    ],
    outputs: [],
    binaryOutput: true,
    parameters: new Map(),
  };
  return prepareHead(checkRequest(model.name, model.tensors, head), []);
}

function rawShape(input: ModelTensor, bodyBytes: number, batching: boolean): number[] {
  const own = input.datatype === 'BYTES' ? rawStringShape(input) : rawNumberShape(input, bodyBytes);
  return batching ? [1, ...own] : own;
}

/** One string without its length in front. */
function rawStringShape(input: ModelTensor): number[] {
  if (input.dims.length === 1 && (input.dims[0] === 1 || input.dims[0] === -1)) return [1];
  throw invalid(`For BYTE datatype raw input '${input.name}', the model must have input shape [1]`);
}

function rawNumberShape(input: ModelTensor, bodyBytes: number): number[] {
  const variable = input.dims.filter((dim) => dim === -1).length;
  if (variable > 1) {
    throw invalid(
      `The shape of the raw input '${input.name}' can not be deduced because there are more than one variable-sized dimension`,
    );
  }
  let rest = elementBytes[input.datatype];
  for (const dim of input.dims) if (dim !== -1) rest *= dim;
  return input.dims.map((dim) => (dim === -1 ? Math.floor(bodyBytes / rest) : dim));
}

/** The body as the tensor's bytes: a string gets the length in front that BYTES elements have. */
export function rawContent(model: ServedModel, body: Buffer): Buffer {
  if (model.tensors.inputs[0]?.datatype !== 'BYTES') return body;
  const content = Buffer.allocUnsafe(4 + body.length);
  content.writeUInt32LE(body.length);
  body.copy(content, 4);
  return content;
}
