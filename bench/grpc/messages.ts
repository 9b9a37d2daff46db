import { MessageType } from '../../src/protocols/grpc/proto.js';
import { type ModelMetadata, rowsOf } from '../core/bodies.js';
import type { LoadRequest } from '../core/wrk.js';

export const unaryPath = '/inference.GRPCInferenceService/ModelInfer';
export const streamPath = '/inference.GRPCInferenceService/ModelStreamInfer';

/** Flag and length. */
const PREFIX_BYTES = 5;

/** A ModelInferRequest with one row of every input as raw contents. */
export function inferRequest(model: ModelMetadata): Uint8Array {
  const rows = rowsOf(model);
  return new MessageType('inference.ModelInferRequest').encode({
    model_name: model.name,
    inputs: rows.map(({ head: { name, datatype, shape } }) => ({ name, datatype, shape })),
    raw_input_contents: rows.map(({ bytes }) => bytes),
  });
}

/** A call with this message alone, as HTTP/2 carries it. */
export function unaryRequest(message: Uint8Array): LoadRequest {
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  return { path: unaryPath, headers, body: framed(message) };
}

/** A message as it lies in the body of a call: not compressed, with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
