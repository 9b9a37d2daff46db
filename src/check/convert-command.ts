import { readFile, stat, writeFile } from 'node:fs/promises';
import { convertGraph, type Hint } from '../backends/tensorflow/convert.js';
import { convertSavedModel, usualChoice } from '../backends/tensorflow/saved-model.js';
import { invalid } from '../types/errors.js';
import type { Terminal } from './check-command.js';
import type { ConvertOptions } from './command-line.js';

/**
 * `conch convert`. Resolves with the exit code. Throws INVALID_ARGUMENT where it is no TensorFlow model or there is an output
 * already, UNSUPPORTED with all nodes that ONNX has nothing for.
 */
export async function runConvert(options: ConvertOptions, terminal: Terminal): Promise<number> {
  const { from, to } = options;
  const info = await stat(from).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`${from} cannot be read (${error.code})`);
  });
  const model = info.isDirectory() ? convertFolder(options) : await convertFile(options);
  await writeFile(to, model, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw invalid(`${to} is there already, and nothing is written over`);
    throw invalid(`${to} cannot be written (${error.code})`);
  });
  terminal.out(`${to}: ${model.length} bytes\n`);
  return 0;
}

function convertFolder({ from, inputs, outputs, signature, tag }: ConvertOptions): Uint8Array {
  const choice = { signature: signature || usualChoice.signature, tag: tag || usualChoice.tag };
  return convertSavedModel(from, { inputs: inputs.map(hintOf), outputs: outputs.map(hintOf) }, choice);
}

async function convertFile({ from, inputs, outputs, signature, tag }: ConvertOptions): Promise<Uint8Array> {
  const given = signature === '' ? '--tag' : '--signature';
  if (signature !== '' || tag !== '') {
    throw invalid(
      `${given} chooses in a SavedModel, and ${from} is no folder: name a frozen graph's outputs with --output`,
    );
  }
  return convertGraph(await readFile(from), { inputs: inputs.map(hintOf), outputs: outputs.map(hintOf) });
}

function hintOf(name: string): Hint {
  return { name, shape: null };
}
