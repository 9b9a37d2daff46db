import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from './data-error.js';
import type { Step, TensorData } from './data-set.js';
import { packStrings } from './elements.js';
import type { RowForm, RowTensor } from './input-shapes.js';
import { type Content, rawContent, withShape } from './json-tensor.js';

const LINE_FEED = 0x0a;

/**
 * One step of one row: a file for each input, by its name, with its elements as bytes; of BYTES a line for each element. Outputs that have
 * a file are expected to be like it. Throws a DataError.
 */
export async function readDirectory(path: string, form: RowForm): Promise<Step> {
  const files = await filesOf(path);
  const known = [...form.inputs, ...form.outputs].map(({ name }) => name);
  const strange = files.find((file) => !known.includes(file));
  if (strange !== undefined) {
    const names = known.map((name) => `'${name}'`).join(', ');
    throw new DataError(`${join(path, strange)}: the model has no such input or output, it has ${names}`);
  }
  const missing = form.inputs.find(({ name, isOptional }) => !isOptional && !files.includes(name));
  if (missing !== undefined) throw new DataError(`${path}: there is no file '${missing.name}', which the input needs`);
  const read = (tensors: readonly RowTensor[]) =>
    Promise.all(tensors.filter(({ name }) => files.includes(name)).map((tensor) => readTensorFile(path, tensor)));
  const [inputs, outputs] = [await read(form.inputs), await read(form.outputs)];
  return { inputs, expected: outputs.length === 0 ? null : outputs, parameters: {} };
}

/** Those whose names begin with a dot are the system's. Names of tensors may have slashes, and lie in folders then. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'));
  return files.map((entry) => join(entry.parentPath, entry.name).slice(join(path, '/').length));
}

async function readTensorFile(folder: string, tensor: RowTensor): Promise<TensorData> {
  const path = join(folder, tensor.name);
  const bytes = await readFile(path);
  const content = tensor.datatype === 'BYTES' ? linesOf(bytes) : rawContent(bytes, tensor.datatype, path);
  return withShape(tensor, content, null, path);
}

/** The last line may end with the file. */
function linesOf(bytes: Buffer): Content {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(LINE_FEED, at);
    const end = found < 0 ? bytes.length : found;
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return { bytes: packStrings(lines), count: lines.length, nesting: null };
}
