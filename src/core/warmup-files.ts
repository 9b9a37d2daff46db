import { resolve } from 'node:path';
import type { ModelConfig } from '../config/model-config.js';
import { requestTag } from './check-request.js';
import { readModelFile } from './model-files.js';

/**
 * What `input_data_file` names, by that name: files of the model's folder `warmup`. Throws INVALID_ARGUMENT where one cannot be read,
 * or lies elsewhere.
 */
export async function readWarmupFiles(
  config: ModelConfig,
  modelDirectory: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = resolve(modelDirectory, 'warmup');
  const files = new Map<string, Uint8Array>();
  for (const { name, batch_size, inputs } of config.model_warmup) {
    if (batch_size === 0) continue;
    for (const [input, { input_data_file: file }] of Object.entries(inputs)) {
      if (file === undefined || files.has(file)) continue;
      files.set(
        file,
        await readModelFile(folder, file, `${requestTag(name)}warmup data '${file}' of input '${input}'`),
      );
    }
  }
  return files;
}
