import { readFile, stat, writeFile } from 'node:fs/promises';
import { convertGraph } from '../backends/tensorflow/convert.js';
import { convertSavedModel } from '../backends/tensorflow/saved-model.js';
import { invalid } from '../types/errors.js';
import type { Terminal } from './check-command.js';
import type { ConvertOptions } from './command-line.js';

/**
 * `conch convert`. Resolves with the exit code. Throws INVALID_ARGUMENT where it is no TensorFlow model or there is an output
 * already, UNSUPPORTED with all nodes that ONNX has nothing for.
 */
export async function runConvert({ from, to, inputs, outputs }: ConvertOptions, terminal: Terminal): Promise<number> {
  const info = await stat(from).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`${from} cannot be read (${error.code})`);
  });
  const hint = (name: string) => ({ name, shape: null });
  const hints = { inputs: inputs.map(hint), outputs: outputs.map(hint) };
  const model = info.isDirectory() ? convertSavedModel(from, hints) : convertGraph(await readFile(from), hints);
  await writeFile(to, model, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw invalid(`${to} is there already, and nothing is written over`);
    throw invalid(`${to} cannot be written (${error.code})`);
  });
  terminal.out(`${to}: ${model.length} bytes\n`);
  return 0;
}
