import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ModelEntry, scanRepositories } from '../../src/repository/scan.js';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'conch-scan-'));
});

afterEach(() => rmSync(root, { recursive: true }));

/** Paths that end in a slash are folders. */
function make(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, text);
  }
}

async function scanOne(name: string, configName = ''): Promise<ModelEntry> {
  return (await scanRepositories([root], configName)).get(name)!;
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
    const snapshot = await scanRepositories([root], '');
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
    const snapshot = await scanRepositories([join(root, 'repository')], '');
    expect([...snapshot.keys()]).toEqual(['linked']);
    expect(snapshot.get('linked')!.versions).toHaveLength(1);
  });

  it('names what cannot be read of one model and finds the others', async () => {
    make({ 'bad/config.pbtxt/': '', 'good/config.pbtxt': 'x' });
    const snapshot = await scanRepositories([root], '');
    expect(snapshot.get('bad')!.problem).toMatch(/^Internal: the folder of model 'bad' cannot be read: EISDIR/);
    expect(snapshot.get('good')!.problem).toBe('');
  });

  it('marks a name that is in two repositories, and not one that is in a repository given twice', async () => {
    make({ 'r1/m/': '', 'r2/m/': '', 'r2/other/': '' });
    const [first, second] = [join(root, 'r1'), join(root, 'r2')];
    const snapshot = await scanRepositories([first, second, `${second}/`], '');
    expect(snapshot.get('m')!.problem).toBe('model appears in two or more repositories');
    expect(snapshot.get('other')!.problem).toBe('');
  });

  it('refuses a repository that is not there or is a file, by its path', async () => {
    make({ file: '' });
    await expect(scanRepositories([join(root, 'none')], '')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `--model-repository: expected a folder of models, but ${join(root, 'none')} cannot be read (ENOENT: it does not exist)`,
    });
    await expect(scanRepositories([join(root, 'file')], '')).rejects.toThrow('(ENOTDIR: it is a file)');
  });

  it('has as time of a model that of its newest file, however deep', async () => {
    make({ 'm/1/deep/er/weights.bin': '' });
    const future = Math.ceil(Date.now() / 1000) + 1000;
    utimesSync(join(root, 'm/1/deep/er/weights.bin'), future, future);
    expect((await scanOne('m')).modifiedMs).toBe(future * 1000);
  });

  it('looks at more models than it does at a time', async () => {
    for (let i = 0; i < 100; i++) make({ [`m${i}/1/`]: '' });
    const snapshot = await scanRepositories([root], '');
    expect(snapshot.size).toBe(100);
    expect([...snapshot.values()].every(({ versions }) => versions.length === 1)).toBe(true);
  });
});
