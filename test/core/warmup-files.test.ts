import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { readWarmupFiles } from '../../src/core/warmup-files.js';

let model: string;

beforeAll(async () => {
  model = await mkdtemp(join(tmpdir(), 'conch-warmup-'));
  await mkdir(join(model, 'warmup', 'inner'), { recursive: true });
  for (const file of ['secret', 'warmup/a', 'warmup/inner/b']) await writeFile(join(model, file), file);
});

afterAll(() => rm(model, { recursive: true }));

async function read(...files: string[]): Promise<[string, string][]> {
  const inputs = files.map((file, nth) => `inputs { key: "X${nth}" value { input_data_file: "${file}" } }`);
  const text = `model_warmup { name: "s" batch_size: 1 ${inputs.join(' ')} } model_warmup { inputs { key: "X" value { input_data_file: "none" } } }`;
  const found = await readWarmupFiles(parseModelConfig(text, 'config.pbtxt'), model);
  return [...found].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]);
}

test('files lie in the folder warmup of the model; those of a sample that is skipped are not read', async () => {
  expect(await read('a', 'inner/b', 'inner/../a')).toEqual([
    ['a', 'warmup/a'],
    ['inner/b', 'warmup/inner/b'],
    ['inner/../a', 'warmup/a'],
  ]);
});

test.each(['../secret', 'inner/../../secret', '../warmup2/x', '/etc/hostname', '.', ''])(
  '%j is refused',
  async (file) => {
    await expect(read(file)).rejects.toThrow(
      `[request id: s] warmup data '${file}' of input 'X0': expected a file in ${join(model, 'warmup')}, found '${file}'`,
    );
  },
);

test.each(['none', 'inner'])('%j cannot be read, and the error says why', async (file) => {
  await expect(read(file)).rejects.toThrow(
    /^\[request id: s\] warmup data '\w+' of input 'X0': \/\S+ cannot be read \(E\w+\)$/,
  );
});
