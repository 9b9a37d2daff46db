import type { ModelConfig } from '../config/model-config.js';
import { readModelFile } from './model-files.js';
import type { ServedModel } from './served-model.js';

/** The label files of a model's outputs, by output name: one label per line, its number is the class (fact sheet 2.3). */
export async function readLabels(config: ModelConfig, directory: string): Promise<Map<string, readonly string[]>> {
  const labels = new Map<string, readonly string[]>();
  for (const output of config.output) {
    if (output.label_filename === '') continue;
    const what = `label_filename '${output.label_filename}' of output '${output.name}' of model '${config.name}'`;
    const text = await readModelFile(directory, output.label_filename, what);
    labels.set(
      output.name,
      text
        .toString('utf8')
        .replace(/\r?\n$/, '')
        .split(/\r?\n/),
    );
  }
  return labels;
}

/** What says which labels an output has. */
export type LabelledModel = Pick<ServedModel, 'tensors' | 'config' | 'steps'>;

/** The labels of an output: its own, or in an ensemble those of the step that writes it, and so on; null = none. */
export function labelsOf({ tensors, config, steps }: LabelledModel, output: string): readonly string[] | null {
  const { labels } = tensors.outputs[tensors.outputIndex.get(output)!]!;
  if (labels !== null) return labels;
  for (const [at, step] of steps.entries()) {
    const { output_map } = config.ensemble_scheduling!.step[at]!;
    const written = Object.keys(output_map).find((name) => output_map[name] === output);
    if (written !== undefined) return labelsOf(step, written);
  }
  return null;
}
