import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';
import { requestTag } from './check-request.js';

/**
 * What `input_data_file` names, by that name: files of the model's folder `warmup`. Throws INVALID_ARGUMENT where one cannot be read,
 * or lies elsewhere: a configuration can come from a client. (Links are followed: only who owns the folder makes them.)
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
      files.set(file, await readData(folder, file, `${requestTag(name)}warmup data '${file}' of input '${input}'`));
    }
  }
  return files;
}

async function readData(folder: string, file: string, what: string): Promise<Uint8Array> {
  const path = resolve(folder, file);
  if (!path.startsWith(folder + sep)) throw invalid(`${what} must be a file in the model's folder 'warmup'`);
  return await readFile(path).catch((error: Error) => {
    throw invalid(`${what} cannot be read: ${error.message}`);
  });
}
