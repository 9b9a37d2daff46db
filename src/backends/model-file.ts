import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, ServerError } from '../types/errors.js';
import type { ModelSource } from './backend.js';

export type ModelFileSource = Pick<ModelSource, 'name' | 'versionDirectory' | 'config'>;

/**
 * What the configuration calls the model's file or folder, absolute; it is there. Throws INVALID_ARGUMENT where that is none of the version,
 * UNAVAILABLE where there is none.
 * @param name what it is called where the configuration does not say
 */
export async function findModelFile(
  { name: model, versionDirectory, config }: ModelFileSource,
  name: string,
): Promise<string> {
  const file = config.default_model_filename || name;
  if (file.split(/[/\\]/).includes('..')) {
    throw invalid(`default_model_filename of model '${model}': expected a file of the version, found '${file}'`);
  }
  const path = join(versionDirectory, file);
  if ((await stat(path).catch(() => null)) !== null) return path;
  throw new ServerError('UNAVAILABLE', `unable to find '${path}' for model instance '${model}'`);
}
