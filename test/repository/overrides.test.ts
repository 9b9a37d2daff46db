import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeOverrides, writeOverrides } from '../../src/repository/overrides.js';
import { TempFolder } from './temp-folder.js';

let folder: TempFolder;
const before = process.env.TMPDIR;

/** Temporary folders lie in one of the test's own, so that it sees what is left behind. */
beforeEach(() => {
  folder = new TempFolder();
  process.env.TMPDIR = folder.path;
  expect(tmpdir()).toBe(folder.path);
});

afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  folder.remove();
});

const left = () => readdirSync(folder.path);
const files = (...paths: string[]) => new Map(paths.map((path) => [path, Buffer.from(path)]));

describe('files of a load request', () => {
  it('are a model like any other, in a folder of their own that goes when it is removed', async () => {
    const entry = await writeOverrides('m', files('1/model.onnx', '1/a/b', '10/model.onnx', 'labels.txt'));
    expect(entry).toMatchObject({ name: 'm', folder: 'm', problem: '', configFile: '', isTemporary: true });
    expect(entry.versions.map(({ version, entries }) => [version, entries])).toEqual([
      [1, ['a', 'model.onnx']],
      [10, ['model.onnx']],
    ]);
    expect(readFileSync(join(entry.directory, '1/a/b'), 'utf8')).toBe('1/a/b');
    const other = await writeOverrides('m', files('1/model.onnx'));
    expect(other.directory).not.toBe(entry.directory);
    expect(left()).toHaveLength(2);
    await removeOverrides(entry.directory);
    await removeOverrides(other.directory);
    await removeOverrides(other.directory);
    expect(left()).toEqual([]);
  });

  it('can be read by nobody else', async () => {
    const entry = await writeOverrides('m', files('1/model.onnx'));
    expect(statSync(join(entry.directory, '..')).mode & 0o077).toBe(0);
  });

  it.each([
    ['', 'nothing'],
    ['/etc/passwd', 'an absolute path'],
    ['../x', 'the folder above'],
    ['1/../../x', 'the folder above, later'],
    ['1/..', 'the folder above, at the end'],
    ['./x', 'the folder itself'],
    ['1//x', 'an empty part'],
    ['1/', 'a slash at the end'],
    ['1\\x', 'a backslash'],
    ['..\\x', 'the folder above with a backslash'],
    ['1/x\0y', 'a NUL'],
    ['x'.repeat(1025), 'a name too long'],
  ])('are refused with the path %j: %s', async (path) => {
    await expect(writeOverrides('m', files('1/fine', path))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`parameter 'file:${path.slice(0, 80)}': expected a path in the model's folder`),
    });
    expect(left()).toEqual([]);
  });

  it.each([
    [['1/model', '1/model/x'], 'a file that is a folder too'],
    [['1/model/x', '1/model'], 'a folder that is a file too'],
    [[`1/${'x'.repeat(300)}`], 'a name that no file can have'],
  ])('are refused and leave nothing behind where they cannot be written: %j', async (paths) => {
    await expect(writeOverrides('m', files(...paths))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^the files of the load request cannot be written: E/),
    });
    expect(left()).toEqual([]);
  });

  it('are refused where they are too many', async () => {
    const many = files(...Array.from({ length: 4097 }, (_, i) => `1/${i}`));
    await expect(writeOverrides('m', many)).rejects.toThrow('a load request has up to 4096 files, got 4097');
    expect(left()).toEqual([]);
  });

  it('lie in their folder or are refused, whatever their paths', async () => {
    const part = fc.constantFrom('..', '.', '', 'a', '1', '\\', '\0', ' ', '...', '%2e%2e', '~');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(path, async (name) => {
        const entry = await writeOverrides('m', files(name)).catch(() => null);
        if (entry !== null) {
          expect(readFileSync(`${entry.directory}/${name}`, 'utf8')).toBe(name);
          expect(readdirSync(join(entry.directory, '..'))).toEqual(['m']);
          await removeOverrides(entry.directory);
        }
        expect(left()).toEqual([]);
      }),
    );
  });
});
