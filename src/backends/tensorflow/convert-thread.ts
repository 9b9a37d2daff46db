import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { asServerError, ServerError } from '../../types/errors.js';
import { convertGraph } from './convert.js';
import type { ConvertOutcome, ConvertTask } from './convert-task.js';

/** Goes up with each change of what is made of a graph: files of older ones are not used any more. */
const TRANSLATION = 1;

/** Thread entry: reads the model, and writes what is made of it unless that was done before. */
export default function convert(task: ConvertTask): ConvertOutcome {
  try {
    return converted(task);
  } catch (error) {
    const { code, message } = asServerError(error);
    return { error: { code, message } };
  }
}

function converted({ form, path, hints, cache }: ConvertTask): ConvertOutcome {
  const bytes = readFileSync(path);
  const key = createHash('sha256')
    .update(JSON.stringify([TRANSLATION, form, hints]))
    .update(bytes)
    .digest('hex');
  const made = join(cache, `${key}.onnx`);
  if (existsSync(made)) return { path: made, isNew: false };
  const model = convertGraph(bytes, hints);
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
