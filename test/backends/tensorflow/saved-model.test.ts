import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { maskedCrc32c } from '../../../src/backends/tensorflow/checksum.js';
import { convertSavedModel, savedChoice } from '../../../src/backends/tensorflow/saved-model.js';
import { ServerError } from '../../../src/types/errors.js';
import { checkAnswers, readSaved, type Saved, writeSaved } from './cases.js';

const saved = readSaved('./saved.ndjson.gz');
const NOTHING = { inputs: [], outputs: [] };
const INDEX = 'variables/variables.index';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conch-saved-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function write(saved: Saved, changed: Readonly<Record<string, Uint8Array>> = {}): Promise<void> {
  return writeSaved(folder, saved, changed);
}

function chosen(parameters: Readonly<Record<string, string>>) {
  return savedChoice((name) => parameters[name] ?? '');
}

/** '' = none. */
function failure(hints = NOTHING as Parameters<typeof convertSavedModel>[1], parameters = {}): string {
  try {
    convertSavedModel(folder, hints, chosen(parameters));
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

test('a value that is changed is named, with both checksums', async () => {
  const one = saved[0]!;
  const data = 'variables/variables.data-00000-of-00001';
  const bytes = Buffer.from(one.files[data]!, 'base64');
  bytes[3]! ^= 1;
  await write(one, { [data]: bytes });
  expect(failure()).toMatch(
    /VarHandleOp '.+' \('.+' in .*variables\.data-00000-of-00001 is damaged: its checksum is \d+/,
  );
});

test('a changed block of the index is named', async () => {
  const one = saved[1]!;
  const bytes = Buffer.from(one.files[INDEX]!, 'base64');
  bytes[8]! ^= 1;
  await write(one, { [INDEX]: bytes });
  expect(failure()).toMatch(/the block at byte \d+ is damaged: its checksum is \d+, and \d+ was written down$/);
});

test('checksums are those of RFC 3720, masked', () => {
  const unmasked = (bytes: Uint8Array) => {
    const turned = (maskedCrc32c(bytes) - 0xa282ead8) >>> 0;
    return ((turned >>> 17) | (turned << 15)) >>> 0;
  };
  expect(unmasked(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(unmasked(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(unmasked(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(unmasked(Uint8Array.from({ length: 32 }, (_, nth) => nth))).toBe(0x46dd794e);
  expect(unmasked(new Uint8Array(0))).toBe(0);
});

test('another signature is taken where the configuration names it', async () => {
  const one = saved.find(({ name }) => name === 'keras')!;
  await write(one);
  const model = convertSavedModel(folder, NOTHING, chosen({ TF_SIGNATURE_DEF: 'serve', TF_GRAPH_TAG: 'serve' }));
  await checkAnswers(model, one.inputs, one.outputs);
});

test('a signature or a tag that is not there is refused with those that are', async () => {
  await write(saved.find(({ name }) => name === 'keras')!);
  expect(failure(NOTHING, { TF_SIGNATURE_DEF: 'train' })).toBe(
    "Invalid argument: the SavedModel has no signature 'train': found '__saved_model_init_op', 'serve', 'serving_default' (parameter TF_SIGNATURE_DEF, or --signature)",
  );
  expect(failure(NOTHING, { TF_GRAPH_TAG: 'gpu' })).toBe(
    "Invalid argument: the SavedModel has no graph with the tag 'gpu': found 'serve' (parameter TF_GRAPH_TAG, or --tag)",
  );
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
