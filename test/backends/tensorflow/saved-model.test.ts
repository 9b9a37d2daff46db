import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { convertSavedModel } from '../../../src/backends/tensorflow/saved-model.js';
import { ServerError } from '../../../src/types/errors.js';
import { checkAnswers, readSaved, type Saved } from './cases.js';

const saved = readSaved('./saved.ndjson.gz');
const NOTHING = { inputs: [], outputs: [] };
const INDEX = 'variables/variables.index';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conch-saved-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function write({ files }: Saved, changed: Readonly<Record<string, Uint8Array>> = {}): Promise<void> {
  for (const [path, data] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), changed[path] ?? Buffer.from(data, 'base64'));
  }
}

/** '' = none. */
function failure(hints = NOTHING as Parameters<typeof convertSavedModel>[1]): string {
  try {
    convertSavedModel(folder, hints);
  } catch (error) {
    if (error instanceof ServerError) return `${error}`;
    throw error;
  }
  return '';
}

// Made by test/make_tensorflow_saved.py.
test.each(saved.map((one) => [one.name, one] as const))('SavedModel %s answers as TensorFlow', async (_, one) => {
  await write(one);
  await checkAnswers(convertSavedModel(folder, NOTHING), one.inputs, one.outputs);
});

test('a network turns its images around once, at its input', async () => {
  await write(saved.find(({ name }) => name === 'keras')!);
  const model = Buffer.from(convertSavedModel(folder, NOTHING)).toString('latin1');
  // Field 4 of a NodeProto, of 9 bytes.
  expect(model.split('"\tTranspose').length - 1).toBe(1);
});

test('an output that the signature does not have is refused', async () => {
  await write(saved[0]!);
  expect(failure({ inputs: [], outputs: [{ name: 'sum', shape: null }] })).toBe(
    "Invalid argument: unexpected output 'sum': the SavedModel's signature has 'places', 'sums'",
  );
  expect(failure({ inputs: [], outputs: [{ name: 'sums', shape: null }] })).toBe('');
});

test('a folder without a graph is none', () => {
  expect(failure()).toBe(`Invalid argument: ${folder} is no SavedModel: it has no saved_model.pb`);
});

test('values that are missing or cut short are named', async () => {
  const one = saved[0]!;
  const data = 'variables/variables.data-00000-of-00001';
  await write(one, { [data]: Buffer.from(one.files[data]!, 'base64').subarray(0, 20) });
  expect(failure()).toMatch(/'.*' ends behind .*variables\.data-00000-of-00001/);
  await rm(join(folder, INDEX));
  expect(failure()).toContain('a variable without a value');
});

test('an index that is changed at random is refused, or is one', async () => {
  const one = saved[1]!;
  await write(one);
  const bytes = Buffer.from(one.files[INDEX]!, 'base64');
  for (let i = 0; i < bytes.length; i += 11) {
    const changed = Uint8Array.from(bytes);
    changed[i] = (changed[i]! + 1 + 37 * i) & 255;
    await writeFile(join(folder, INDEX), changed);
    failure();
  }
});
