import { afterAll, expect, test } from 'vitest';
import { targetModel, tensor } from '../target-model.js';
import { DataFiles, valuesOf } from './data-files.js';

const files = new DataFiles();
afterAll(() => files.remove());

const model = targetModel(
  'm',
  [tensor('IN', 'INT16', [-1, 2]), tensor('deep/TEXT', 'BYTES', [-1, 2]), tensor('MORE', 'INT8', [-1, -1], true)],
  [tensor('OUT', 'UINT8', [-1, 2])],
  { maxBatchSize: 4 },
);

const shorts = (...values: number[]) => Buffer.from(new Int16Array(values).buffer);
let count = 0;

/** A new folder with these files. */
function folder(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const name = `folder${count++}`;
  for (const [file, content] of Object.entries(contents)) files.write(`${name}/${file}`, content);
  return files.path(name);
}

async function refusal(contents: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = folder(contents);
  return (await files.refusal(model, [path])).replaceAll(path.slice(files.folder.length + 1), 'folder');
}

test('a file for each input: bytes, and a line for each string', async () => {
  const path = folder({ IN: shorts(1, -2), 'deep/TEXT': 'first\nsecond\n', '.DS_Store': 'x' });
  const { streams } = await files.read(model, [path]);
  expect(streams.map((steps) => steps.map((step) => valuesOf(step.inputs)))).toEqual([
    [
      {
        IN: [
          [1, 2],
          [1, -2],
        ],
        'deep/TEXT': [
          [1, 2],
          ['first', 'second'],
        ],
      },
    ],
  ]);
  expect(streams[0]![0]!.expected).toBeNull();
});

test('each row of a batch has the same', async () => {
  const { streams } = await files.read(model, [folder({ IN: shorts(1, 2), 'deep/TEXT': '\n\n' })], 2);
  expect(valuesOf(streams[0]![0]!.inputs)).toEqual({
    IN: [
      [2, 2],
      [1, 2, 1, 2],
    ],
    'deep/TEXT': [
      [2, 2],
      ['', '', '', ''],
    ],
  });
});

test('an output that has a file is expected to be like it; an input of any size has what its file has', async () => {
  const path = folder({
    IN: shorts(1, 2),
    'deep/TEXT': 'a\nb',
    OUT: Buffer.from([7, 8]),
    MORE: Buffer.from([1, 2, 3]),
  });
  const [step] = (await files.read(model, [path])).streams[0]!;
  expect(valuesOf(step!.expected)).toEqual({
    OUT: [
      [1, 2],
      [7, 8],
    ],
  });
  expect(valuesOf(step!.inputs)!.MORE).toEqual([
    [1, 3],
    [1, 2, 3],
  ]);
});

test('what is wrong is told with its place', async () => {
  const right = { IN: shorts(1, 2), 'deep/TEXT': 'a\nb' };
  expect(await refusal({ IN: shorts(1, 2) })).toBe("folder: there is no file 'deep/TEXT', which the input needs");
  expect(await refusal({ ...right, INN: 'x' })).toBe(
    "folder/INN: the model has no such input or output, it has 'IN', 'deep/TEXT', 'MORE', 'OUT'",
  );
  expect(await refusal({ ...right, IN: shorts(1, 2, 3) })).toBe(
    'folder/IN: expected 2 elements for the shape [2], found 3',
  );
  expect(await refusal({ ...right, IN: Buffer.alloc(3) })).toBe(
    'folder/IN: expected elements of 2 bytes (INT16), found 3 bytes',
  );
  expect(await refusal({ ...right, 'deep/TEXT': 'a\nb\n\n' })).toBe(
    'folder/deep/TEXT: expected 2 elements for the shape [2], found 3',
  );
});
