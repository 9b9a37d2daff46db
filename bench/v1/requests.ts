import { V1Message } from '../../src/protocols/v1-messages.js';
import { type ModelMetadata, rowsOf } from '../core/bodies.js';
import type { LoadRequest } from '../core/wrk.js';

export const v1Path = '/nvidia.inferenceserver.GRPCService/Infer';

/** One row of every input as bytes of the body, all outputs asked for. */
export function v1Request(model: ModelMetadata): LoadRequest {
  const names = [
    ...model.inputs.map(({ name }) => `input { name: "${name}" }`),
    ...model.outputs.map(({ name }) => `output { name: "${name}" }`),
  ];
  return {
    path: `/api/infer/${model.name}`,
    headers: { 'Content-Type': 'application/octet-stream', 'NV-InferRequest': `batch_size: 1 ${names.join(' ')}` },
    body: Buffer.concat(rowsOf(model).map(({ bytes }) => bytes)),
  };
}

/** The same as an InferRequest. */
export function v1Message(model: ModelMetadata): Uint8Array {
  const named = ({ name }: { readonly name: string }) => ({ name });
  return new V1Message('InferRequest').binary({
    model_name: model.name,
    model_version: -1,
    meta_data: { batch_size: 1, input: model.inputs.map(named), output: model.outputs.map(named) },
    raw_input: rowsOf(model).map(({ bytes }) => bytes),
  });
}
