import { createHash, type Hash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { asServerError, ServerError } from '../../types/errors.js';
import { convertGraph } from './convert.js';
import type { ConvertOutcome, ConvertTask } from './convert-task.js';
import { convertSavedModel, savedModelFile } from './saved-model.js';

/** Goes up with each change of what is made of a graph: files of older ones are not used any more. */
const TRANSLATION = 2;
const PIECE_BYTES = 1 << 20;

/** Thread entry: reads the model, and writes what is made of it unless that was done before. */
export default function convert(task: ConvertTask): ConvertOutcome {
  try {
    return converted(task);
  } catch (error) {
    const { code, message } = asServerError(error);
    return { error: { code, message } };
  }
}

function converted(task: ConvertTask): ConvertOutcome {
  const { form, path, hints, cache } = task;
  const key = keyOf(task);
  const made = join(cache, `${key}.onnx`);
  if (existsSync(made)) return { path: made, isNew: false };
  const model = form === 'graphdef' ? convertGraph(readFileSync(path), hints) : convertSavedModel(path, hints);
  // Else a file would go by the content of another.
  if (keyOf(task) !== key) throw new ServerError('UNAVAILABLE', `${path} was changed while it was read`);
  try {
    write(cache, made, model);
  } catch (error) {
    throw new ServerError(
      'INTERNAL',
      `the folder ${cache} for translated models cannot be used: ${(error as Error).message}; ` +
        'name another with --backend-config tensorflow,cache-directory=DIR',
    );
  }
  return { path: made, isNew: true };
}

/** Of what is read, and what it is read for. */
function keyOf({ form, path, hints }: ConvertTask): string {
  const hash = createHash('sha256').update(JSON.stringify([TRANSLATION, form, hints]));
  for (const file of form === 'graphdef' ? [path] : filesOf(path)) update(hash, file);
  return hash.digest('hex');
}

/** The graph, and the values of its variables. */
function filesOf(directory: string): string[] {
  const variables = join(directory, 'variables');
  const names = existsSync(variables) ? readdirSync(variables).sort() : [];
  return [join(directory, savedModelFile), ...names.map((name) => join(variables, name))].filter((file) =>
    existsSync(file),
  );
}

/** In pieces: files may be larger than memory. Names and sizes count too, so that nothing passes for something else. */
function update(hash: Hash, path: string): void {
  const file = openSync(path, 'r');
  try {
    hash.update(JSON.stringify([basename(path), fstatSync(file).size]));
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece))
      hash.update(piece.subarray(0, count));
  } finally {
    closeSync(file);
  }
}

/** Complete or not at all, also after a crash, and for nobody else to change: models are programs. */
function write(folder: string, path: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.${randomUUID()}`);
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
