import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { foldersIn, stampFiles } from '../../src/repository/folder.js';
import { TempFolder } from './temp-folder.js';

let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
});

afterEach(() => folder.remove());

const at = (path: string) => join(folder.path, path);
const paths = async (of = folder.path) => (await stampFiles(of)).map(({ path }) => path);

describe('the files of a folder', () => {
  it('are all there, sorted by path, those with a dot in front of a part passed over', async () => {
    folder.make({ 'b/2': '', 'b/10/x': '', a: '', '.x': '', 'b/.y/z': '', 'empty/': '', 'c.d': '' });
    expect(await paths()).toEqual(['a', 'b/10/x', 'b/2', 'c.d']);
  });

  it('are found through links, and under each of their names', async () => {
    folder.make({ 'real/x': '', 'm/': '' });
    symlinkSync(at('real'), at('m/one'));
    symlinkSync(at('real'), at('m/two'));
    symlinkSync(at('real/x'), at('m/file'));
    symlinkSync(at('nowhere'), at('m/broken'));
    const found = await stampFiles(at('m'));
    expect(found.map(({ path }) => path)).toEqual(['file', 'one/x', 'two/x']);
    expect(new Set(found.map(({ stamp }) => stamp)).size).toBe(1);
  });

  it('end where links lead back', async () => {
    folder.make({ 'a/x': '', 'b/y': '' });
    symlinkSync('..', at('a/up'));
    symlinkSync('.', at('a/self'));
    symlinkSync(at('b'), at('a/b'));
    symlinkSync(at('a'), at('b/a'));
    expect(await paths()).toEqual(['a/b/y', 'a/x', 'b/a/x', 'b/y']);
  });

  it('end where links lead back to a folder that was itself reached by a link', async () => {
    folder.make({ 'real/x': '' });
    symlinkSync('.', at('real/self'));
    symlinkSync(at('real'), at('m'));
    expect(await paths(at('m'))).toEqual(['x']);
  });

  it('are found 32 folders deep, and no deeper', async () => {
    const deep = (count: number) => `${Array.from({ length: count }, (_, i) => `d${i}`).join('/')}/x`;
    folder.make({ [deep(32)]: '', [deep(33)]: '' });
    expect(await paths()).toEqual([deep(32)]);
  });

  // Whoever may read everything is not stopped by permissions.
  it.skipIf(process.getuid?.() === 0)('do not fail where a folder in it cannot be read', async () => {
    folder.make({ 'a/x': '', y: '' });
    chmodSync(at('a'), 0);
    expect(await paths()).toEqual(['y']);
    chmodSync(at('a'), 0o755);
  });

  it('reject where the folder itself is not there', async () => {
    await expect(stampFiles(at('none'))).rejects.toThrow('ENOENT');
  });
});

describe('the folders in a folder', () => {
  it('are its folders and links to folders, sorted', async () => {
    folder.make({ 'b/': '', 'a/': '', file: '', '.git/': '' });
    symlinkSync(at('a'), at('c'));
    symlinkSync(at('file'), at('d'));
    symlinkSync(at('none'), at('e'));
    expect(await foldersIn(folder.path)).toEqual(['a', 'b', 'c']);
  });
});
