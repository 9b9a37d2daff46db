import type { FieldPath } from '../config/config-source.js';
import { dataTypeInConfig } from '../config/datatype.js';
import type { ModelConfig } from '../config/model-config.js';
import type { ModelSignature } from '../types/model.js';
import { remove, replaceValue } from './edits.js';
import type { Edit } from './finding.js';
import { listText, type Subject } from './subject.js';

/** A batch is never larger than `max_batch_size`: a preferred size that is can only go. */
export function preferredSizeEdits({ source }: Subject, path: FieldPath, message: string): Edit[] {
  return / preferred (batch )?size must be <= max batch size /.test(message) ? remove(source, path) : [];
}

/**
 * A model whose tensors contradict its file is not served, so nobody's answers change: the file's type and dimensions are the only ones
 * with which it can be. None where more than this field would have to change.
 */
export function signatureEdits(
  { source }: Subject,
  config: ModelConfig,
  signature: ModelSignature,
  path: FieldPath,
): Edit[] {
  const [side, index, field] = path;
  if ((side !== 'input' && side !== 'output') || typeof index !== 'number') return [];
  const tensor = config[side][index];
  const tensors = side === 'input' ? [...signature.inputs, ...signature.overridable] : signature.outputs;
  const model = tensors.find(({ name }) => name === tensor?.name);
  if (tensor === undefined || model === undefined) return [];
  if (field === 'data_type') return replaceValue(source, path, dataTypeInConfig(model.datatype));
  if (field !== 'dims' || tensor.reshape !== undefined) return [];
  const batching = config.max_batch_size > 0;
  if (batching && model.shape[0] !== -1) return [];
  const dims = batching ? model.shape.slice(1) : model.shape;
  if (dims.length > 0) return replaceValue(source, path, listText(dims));
  return batching ? [] : replaceValue(source, path, '[ 1 ]');
}
