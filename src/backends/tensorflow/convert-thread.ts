import { createHash, type Hash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asServerError, ServerError } from '../../types/errors.js';
import { markUsed, trimCache, writeCached } from './cache-folder.js';
import { convertGraph } from './convert.js';
import type { ConvertOutcome, ConvertTask } from './convert-task.js';
import { convertSavedModel, savedModelFile } from './saved-model.js';

/** Goes up with each change of what is made of a graph: files of older ones are not used any more. */
const TRANSLATION = 3;
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
  const { form, path, hints, choice, cache } = task;
  const key = keyOf(task);
  const made = join(cache, `${key}.onnx`);
  if (markUsed(made)) return { path: made, isNew: false, warning: '' };
  const model = form === 'graphdef' ? convertGraph(readFileSync(path), hints) : convertSavedModel(path, hints, choice);
  // Else a file would go by the content of another.
  if (keyOf(task) !== key) throw new ServerError('UNAVAILABLE', `${path} was changed while it was read`);
  try {
    writeCached(cache, made, model);
  } catch (error) {
    throw new ServerError(
      'INTERNAL',
      `the folder ${cache} for translated models cannot be used: ${(error as Error).message}; ` +
        'name another with --backend-config tensorflow,cache-directory=DIR',
    );
  }
  return { path: made, isNew: true, warning: trimmed(task) };
}

/** Too many files are no reason not to serve: '' or what is wrong. */
function trimmed({ cache, cacheMaxBytes }: ConvertTask): string {
  try {
    trimCache(cache, cacheMaxBytes);
    return '';
  } catch (error) {
    return `old files in the folder ${cache} for translated models cannot be deleted: ${(error as Error).message}`;
  }
}

/** Of what is read, and what it is read for. */
function keyOf({ form, path, hints, choice }: ConvertTask): string {
  const asked = form === 'graphdef' ? [form, hints] : [form, hints, choice];
  const hash = createHash('sha256').update(JSON.stringify([TRANSLATION, ...asked]));
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
