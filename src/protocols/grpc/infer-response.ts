import type { InferResponse } from '../../core/infer-response.js';
import type { OutputTensor } from '../../types/infer.js';
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

/** An entry of `parameters`: "triton_final_response" = true (fact sheet 3.6). */
const finalResponse = new WireWriter().string(1, 'triton_final_response').bytes(2, Uint8Array.of(8, 1)).view;

/** Everything before the contents of the tensors. `isStream`: it says that it is the last response to its response. */
export function writeResponseHead(
  writer: WireWriter,
  response: InferResponse,
  outputs: readonly OutputTensor[],
  isStream: boolean,
): void {
  const { model } = response;
  writer.string(MODEL_NAME, model.name).string(MODEL_VERSION, String(model.version));
  if (isStream) writer.bytes(PARAMETERS, finalResponse);
  for (const output of outputs) writer.bytes(OUTPUTS, outputHead(output));
}

function outputHead({ name, datatype, shape }: OutputTensor): Uint8Array {
  return new WireWriter().string(1, name).string(2, datatype).int64s(3, shape).view;
}

/** Bytes of a field of this length with a number below 16. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** What a stream answers to a request that went wrong. */
export interface StreamFailure {
  readonly message: string;
  readonly id: Uint8Array;
  /** '' = it was refused before its model had it: then only the id is sent back. */
  readonly modelName: string;
  readonly modelVersion: string;
}

/** A ModelStreamInferResponse with an error (fact sheet 3.6). */
export function failureMessage({ message, id, modelName, modelVersion }: StreamFailure): Buffer {
  const response = new WireWriter().string(MODEL_NAME, modelName).string(MODEL_VERSION, modelVersion);
  if (id.length > 0) response.bytes(ID, id);
  if (modelName !== '') response.bytes(PARAMETERS, finalResponse);
  return new WireWriter().string(ERROR_MESSAGE, message).bytes(INFER_RESPONSE, response.view).view;
}
