import type { LoadRequest } from './wrk.js';

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** `GET /v2/models/NAME`. */
export interface ModelMetadata {
  readonly name: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

const arrays = { INT32: Int32Array, FP32: Float32Array, UINT8: Uint8Array } as const;

/** One row of every input as bytes behind the JSON head, all outputs asked for as bytes. */
export function binaryRequest(model: ModelMetadata): LoadRequest {
  const inputs = model.inputs.map((input) => ({ head: oneRow(input), values: smallValues(input) }));
  const head = Buffer.from(
    JSON.stringify({
      inputs: inputs.map(({ head, values }) => ({ ...head, parameters: { binary_data_size: values.byteLength } })),
      outputs: model.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  return {
    path: `/v2/models/${model.name}/infer`,
    headers: { 'Content-Type': 'application/octet-stream', 'Inference-Header-Content-Length': String(head.length) },
    body: Buffer.concat([head, ...inputs.map(({ values }) => bytesOf(values))]),
  };
}

/** One row of every input as JSON data; all outputs come back as JSON data. */
export function jsonRequest(model: ModelMetadata): LoadRequest {
  const inputs = model.inputs.map((input) => ({ ...oneRow(input), data: Array.from(smallValues(input)) }));
  return {
    path: `/v2/models/${model.name}/infer`,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ inputs })),
  };
}

/** The bare values of the only input, for a server that speaks no protocol. */
export function bareRequest(model: ModelMetadata, path: string): LoadRequest {
  const values = smallValues(model.inputs[0]!);
  return { path, headers: { 'Content-Type': 'application/octet-stream' }, body: bytesOf(values) };
}

/** One row of every input: what it is, and its bytes. */
export function rowsOf(model: ModelMetadata): { readonly head: TensorMetadata; readonly bytes: Uint8Array }[] {
  return model.inputs.map((input) => ({ head: oneRow(input), bytes: bytesOf(smallValues(input)) }));
}

function oneRow({ name, datatype, shape }: TensorMetadata): TensorMetadata {
  return { name, datatype, shape: shape.map((dim) => (dim === -1 ? 1 : dim)) };
}

/** Small whole numbers: no denormal floats, which would slow a model down. */
function smallValues(tensor: TensorMetadata): Int32Array | Float32Array | Uint8Array {
  const Values = arrays[tensor.datatype as keyof typeof arrays];
  if (Values === undefined) throw new Error(`the bench has no values of datatype ${tensor.datatype}`);
  const values = new Values(oneRow(tensor).shape.reduce((count, dim) => count * dim, 1));
  return values.map((_, index) => index % 7);
}

function bytesOf(values: Int32Array | Float32Array | Uint8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
