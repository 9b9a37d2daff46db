import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from '../config/model-config.js';
import { invalid } from '../types/errors.js';

/** The label files of a model's outputs, by output name: one label per line, its number is the class (fact sheet 2.3). */
export async function readLabels(config: ModelConfig, directory: string): Promise<Map<string, readonly string[]>> {
  const labels = new Map<string, readonly string[]>();
  for (const output of config.output) {
    if (output.label_filename === '') continue;
    const path = join(directory, output.label_filename);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw invalid(
        `output '${output.name}' of model '${config.name}' has label_filename '${output.label_filename}', but ${path} cannot be read (${error.code})`,
      );
    });
    labels.set(output.name, text.replace(/\r?\n$/, '').split(/\r?\n/));
  }
  return labels;
}
