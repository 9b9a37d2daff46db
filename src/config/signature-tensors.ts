import { invalid, type ServerError } from '../types/errors.js';
import type { SignatureTensor } from '../types/model.js';
import { dataTypeInConfig } from './datatype.js';
import type { ConfigDataType, ModelConfig } from './model-config.js';

/** Of a model file, by name. */
export type Tensors = ReadonlyMap<string, SignatureTensor>;

export function byName(tensors: readonly SignatureTensor[]): Tensors {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

export function findTensor(kind: 'input' | 'output', name: string, tensors: Tensors): SignatureTensor {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor;
  throw invalid(
    `unexpected inference ${kind} '${name}', allowed ${kind}s are: ${[...tensors.keys()].sort().join(', ')}`,
  );
}

export function checkType(config: ModelConfig, what: string, configured: ConfigDataType, model: SignatureTensor): void {
  const provided = dataTypeInConfig(model.datatype);
  if (configured === provided) return;
  throw unable(config, `configuration expects datatype ${configured} for ${what}, model provides ${provided}`);
}

export function unable(config: ModelConfig, what: string): ServerError {
  return invalid(`unable to load model '${config.name}', ${what}`);
}
