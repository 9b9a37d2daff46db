import type { DataType } from '../types/datatype.js';
import type { Shape } from '../types/tensor.js';
import type { ModelTensor } from './model-tensors.js';
import type { ServedModel } from './served-model.js';

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** What a client may send and will get: shapes as configured, never the `reshape`, with -1 in front where the model batches. */
export function modelMetadata(model: ServedModel, versions: readonly number[]): ModelMetadata {
  const { config, tensors } = model;
  const describe = ({ name, datatype, dims }: ModelTensor) => ({
    name,
    datatype,
    shape: tensors.maxBatchSize > 0 ? [-1, ...dims] : dims,
  });
  return {
    name: model.name,
    versions: versions.map(String),
    platform: config.platform || config.backend,
    inputs: tensors.inputs.map(describe),
    outputs: tensors.outputs.map(describe),
  };
}
