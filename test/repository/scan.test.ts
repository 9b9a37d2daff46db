import { realpathSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  changedMs,
  type ModelEntry,
  type ScanSettings,
  scanNames,
  scanOneModel,
  scanRepositories,
} from '../../src/repository/scan.js';
import { TempFolder } from './temp-folder.js';

let folder: TempFolder;
let root = '';

beforeEach(() => {
  folder = new TempFolder();
  root = folder.path;
});

afterEach(() => folder.remove());

function make(files: Record<string, string>): void {
  folder.make(files);
}

function settings(repositories: readonly string[], parts: Partial<ScanSettings> = {}): ScanSettings {
  return { repositories, configName: '', namespacing: false, ...parts };
}

function scan(...repositories: string[]) {
  return scanRepositories(settings(repositories));
}

async function scanOne(name: string, configName = ''): Promise<ModelEntry> {
  return (await scanRepositories(settings([root], { configName }))).get(name)!;
}

describe('a scan of repositories', () => {
  it('finds models with their configuration, and versions with what is in them', async () => {
    make({
      'm/config.pbtxt': 'name: "m"',
      'm/1/model.onnx': '',
      'm/10/model.onnx': '',
      'm/2/b.txt': '',
      'm/2/a/x': '',
    });
    const entry = await scanOne('m');
    expect(entry).toMatchObject({ name: 'm', directory: join(root, 'm'), repository: root, problem: '', notes: [] });
    expect(entry).toMatchObject({ configFile: join(root, 'm/config.pbtxt'), configText: 'name: "m"' });
    expect(entry.versions).toEqual([
      { version: 1, directory: join(root, 'm/1'), entries: ['model.onnx'] },
      { version: 2, directory: join(root, 'm/2'), entries: ['a', 'b.txt'] },
      { version: 10, directory: join(root, 'm/10'), entries: ['model.onnx'] },
    ]);
  });

  it('passes over what is no model and no version', async () => {
    make({
      'README.md': '',
      '.git/': '',
      'm/0/': '',
      'm/01/': '',
      'm/1.5/': '',
      'm/warmup/': '',
      'm/v1/': '',
      'm/3': '',
    });
    const snapshot = await scan(root);
    expect([...snapshot.keys()]).toEqual(['m']);
    expect(snapshot.get('m')!.versions).toEqual([]);
  });

  it('notes a version beyond 2^53 and leaves it out', async () => {
    make({ 'm/9007199254740993/': '', 'm/1/': '' });
    const { versions, notes } = await scanOne('m');
    expect(versions.map(({ version }) => version)).toEqual([1]);
    expect(notes).toEqual(["model 'm': version folder 9007199254740993 is ignored, versions go up to 2^53 - 1"]);
  });

  it('takes configs/NAME.pbtxt before config.pbtxt, where it is there', async () => {
    make({ 'a/config.pbtxt': 'plain', 'a/configs/big.pbtxt': 'big', 'b/config.pbtxt': 'plain', 'b/configs': 'a file' });
    expect((await scanOne('a', 'big')).configText).toBe('big');
    expect((await scanOne('a')).configText).toBe('plain');
    expect((await scanOne('b', 'big')).configText).toBe('plain');
  });

  it('has a model without configuration', async () => {
    make({ 'm/1/': '' });
    expect(await scanOne('m')).toMatchObject({ configFile: '', configText: '', problem: '' });
  });

  it('follows links to folders, and passes over links to nowhere', async () => {
    make({ 'elsewhere/1/model.onnx': '', 'repository/': '' });
    symlinkSync(join(root, 'elsewhere'), join(root, 'repository/linked'));
    symlinkSync(join(root, 'nowhere'), join(root, 'repository/broken'));
    const snapshot = await scan(join(root, 'repository'));
    expect([...snapshot.keys()]).toEqual(['linked']);
    expect(snapshot.get('linked')!.versions).toHaveLength(1);
    // What is loaded stays what it is when the link leads elsewhere.
    expect(snapshot.get('linked')!.directory).toBe(realpathSync(join(root, 'elsewhere')));
  });

  it('names what cannot be read of one model and finds the others', async () => {
    make({ 'bad/config.pbtxt/': '', 'good/config.pbtxt': 'x' });
    const snapshot = await scan(root);
    expect(snapshot.get('bad')!.problem).toMatch(/^Internal: the folder of model 'bad' cannot be read: EISDIR/);
    expect(snapshot.get('good')!.problem).toBe('');
  });

  it('marks a name that is in two repositories, and not one that is in a repository given twice', async () => {
    make({ 'r1/m/': '', 'r2/m/': '', 'r2/other/': '' });
    const [first, second] = [join(root, 'r1'), join(root, 'r2')];
    const snapshot = await scan(first, second, `${second}/`);
    expect(snapshot.get('m')!.problem).toBe('model appears in two or more repositories');
    expect(snapshot.get('other')!.problem).toBe('');
  });

  it('refuses a repository that is not there or is a file, by its path', async () => {
    make({ file: '' });
    await expect(scan(join(root, 'none'))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `--model-repository: expected a folder of models, but ${join(root, 'none')} cannot be read (ENOENT: it does not exist)`,
    });
    await expect(scan(join(root, 'file'))).rejects.toThrow('(ENOTDIR: it is a file)');
  });

  it('knows when anything of a model was put there last, however deep', async () => {
    make({ 'm/1/deep/er/weights.bin': '', 'empty/': '' });
    const before = Date.now();
    const future = Math.ceil(before / 1000) + 1000;
    utimesSync(join(root, 'm/1/deep/er/weights.bin'), future, future);
    expect(changedMs(await scanOne('m'))).toBe(future * 1000);
    // A file that is copied in with its time is new nevertheless.
    utimesSync(join(root, 'm/1/deep/er/weights.bin'), 1000, 1000);
    expect(changedMs(await scanOne('m'))).toBeGreaterThan(before - 1000);
    expect(changedMs(await scanOne('empty'))).toBe(0);
  });

  it('looks at more models than it does at a time', async () => {
    for (let i = 0; i < 100; i++) make({ [`m${i}/1/`]: '' });
    const snapshot = await scan(root);
    expect(snapshot.size).toBe(100);
    expect([...snapshot.values()].every(({ versions }) => versions.length === 1)).toBe(true);
  });
});

describe('models of one name in several repositories', () => {
  const problem = 'model appears in two or more repositories';
  const names = async (parts: Partial<ScanSettings>, ...repositories: string[]) =>
    [...(await scanRepositories(settings(repositories, parts))).values()].map(({ name, folder, repository }) => {
      return `${name} = ${folder} in ${repository}`;
    });

  it('have names of their own with namespacing, by the last part of the path', async () => {
    make({ 'r1/m/1/': '', 'r2/m/2/': '', 'r2/other/': '' });
    const [first, second] = [join(root, 'r1'), join(root, 'r2')];
    expect(await names({ namespacing: true }, first, second)).toEqual([
      `r1::m = m in ${first}`,
      `r2::m = m in ${second}`,
      `other = other in ${second}`,
    ]);
    expect(await names({ namespacing: true }, second)).toEqual([`m = m in ${second}`, `other = other in ${second}`]);
  });

  it('are called by the whole path of a repository whose last part another has too', async () => {
    make({ 'x/models/m/': '', 'y/models/m/': '', 'z/m/': '' });
    const [x, y, z] = [join(root, 'x/models'), join(root, 'y/models'), join(root, 'z')];
    const found = await scanRepositories(settings([x, y, z], { namespacing: true }));
    expect([...found.keys()]).toEqual([`${x}::m`, `${y}::m`, 'z::m']);
  });

  it('are found one at a time by the same names', async () => {
    make({ 'r1/m/1/': '', 'r2/m/2/': '', 'r2/other/': '' });
    const both = settings([join(root, 'r1'), join(root, 'r2')], { namespacing: true });
    for (const [name, entry] of await scanRepositories(both)) expect(await scanOneModel(name, both)).toEqual(entry);
    for (const name of ['m', 'r3::m', 'r1::other', '', '::', '..']) expect(await scanOneModel(name, both)).toBeNull();
    const plain = { ...both, namespacing: false };
    expect((await scanOneModel('m', plain))!.problem).toBe(problem);
    expect((await scanOneModel('other', plain))!.problem).toBe('');
    expect(await scanOneModel('r1::m', plain)).toBeNull();
  });

  it('are in the list of names as they are in a scan', async () => {
    make({ 'r1/m/1/': '', 'r2/m/2/': '', 'r2/other/': '', 'r2/.hidden/': '', 'r2/file': '' });
    const both = settings([join(root, 'r1'), join(root, 'r2')], { namespacing: true });
    expect(await scanNames(both)).toEqual(['r1::m', 'r2::m', 'other']);
    expect(await scanNames({ ...both, namespacing: false })).toEqual(['m', 'other']);
  });

  it('cost nobody else anything where one repository cannot be read', async () => {
    make({ 'r1/m/1/': '' });
    const some = settings([join(root, 'none'), join(root, 'r1')]);
    expect(await scanNames(some)).toEqual(['m']);
    expect((await scanOneModel('m', some))!.problem).toBe('');
    await expect(scanRepositories(some)).rejects.toThrow('it does not exist');
  });
});
