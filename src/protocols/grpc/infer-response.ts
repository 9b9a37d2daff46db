import type { InferResponse } from '../../core/infer-response.js';
import type { OutputTensor, ParameterValue } from '../../types/infer.js';
import { varintBytes, WireWriter } from './wire-writer.js';

/**
 * Fields of ModelInferResponse (fact sheet 3.2). The id comes last, which is as good as any place in protobuf: all before it is
 * the same from answer to answer and at the same place.
 */
const MODEL_NAME = 1;
const MODEL_VERSION = 2;
export const ID = 3;
const PARAMETERS = 4;
const OUTPUTS = 5;
export const RAW_OUTPUT_CONTENTS = 6;

/** Fields of ModelStreamInferResponse. */
const ERROR_MESSAGE = 1;
export const INFER_RESPONSE = 2;

/** Whether nothing follows to the request (fact sheet 3.6): entries of `parameters`. */
const finalResponse = parameterEntry('triton_final_response', true);
const partialResponse = parameterEntry('triton_final_response', false);

/** Everything before the contents of the tensors. `isStream`: it says whether it is the last response to its request. */
export function writeResponseHead(
  writer: WireWriter,
  response: InferResponse,
  outputs: readonly OutputTensor[],
  isStream: boolean,
): void {
  const { model, parameters } = response;
  writer.string(MODEL_NAME, model.name).string(MODEL_VERSION, String(model.version));
  if (isStream) writer.bytes(PARAMETERS, response.isFinal ? finalResponse : partialResponse);
  if (parameters !== null) for (const [key, value] of parameters) writer.bytes(PARAMETERS, parameterEntry(key, value));
  for (const output of outputs) writer.bytes(OUTPUTS, outputHead(output));
}

function outputHead({ name, datatype, shape }: OutputTensor): Uint8Array {
  return new WireWriter().string(1, name).string(2, datatype).int64s(3, shape).view;
}

/** An entry of the map `parameters`: key, and an InferParameter of the kind that the value has (fact sheet 2.6). */
function parameterEntry(key: string, value: ParameterValue): Uint8Array {
  const parameter = new WireWriter();
  if (typeof value === 'boolean') parameter.bool(1, value);
  else if (typeof value === 'string') parameter.bytes(3, Buffer.from(value));
  else if (typeof value === 'bigint' || Number.isSafeInteger(value)) parameter.int64(2, value);
  else parameter.double(4, value);
  return new WireWriter().string(1, key).bytes(2, parameter.view).view;
}

/** Bytes of a field of this length with a number below 16. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** What a stream answers to a request that went wrong, or is over. */
export interface StreamEnd {
  /** '' = it is over. */
  readonly message: string;
  readonly id: Uint8Array;
  /** '' = it was refused before its model had it: then only the id is sent back. */
  readonly modelName: string;
  readonly modelVersion: string;
}

/**
 * A ModelStreamInferResponse that ends a request without an output: with an error, or where the message is '' with nothing but the news
 * that no more answers come (fact sheet 3.6).
 */
export function endMessage({ message, id, modelName, modelVersion }: StreamEnd): Buffer {
  const response = new WireWriter().string(MODEL_NAME, modelName).string(MODEL_VERSION, modelVersion);
  if (id.length > 0) response.bytes(ID, id);
  if (modelName !== '') response.bytes(PARAMETERS, finalResponse);
  return new WireWriter().string(ERROR_MESSAGE, message).bytes(INFER_RESPONSE, response.view).view;
}
