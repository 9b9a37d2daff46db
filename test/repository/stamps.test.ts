import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scanModel } from '../../src/repository/scan.js';
import { stampOfEntry, type VersionStamps } from '../../src/repository/stamps.js';
import { understandModel } from '../../src/repository/wanted.js';
import { TempFolder } from './temp-folder.js';

const CONFIG = `
backend: "onnxruntime"
version_policy { all { } }
output { name: "y" data_type: TYPE_FP32 dims: 2 label_filename: "labels.txt" }
`;

let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
  folder.make({
    'm/config.pbtxt': CONFIG,
    'm/labels.txt': 'a\nb',
    'm/shared.bin': 'x',
    'm/1/model.onnx': 'one',
    'm/1/data/weights': 'w',
    'm/2/model.onnx': 'two',
    'm/warmup/sample': 'x',
    'm/initial_state/zero': 'x',
    'm/configs/big.pbtxt': CONFIG,
    'm/.git/HEAD': 'x',
    'm/1/.cache': 'x',
    'm/.hidden': 'x',
  });
});

afterEach(() => folder.remove());

interface Stamps {
  readonly versions: Readonly<Record<number, VersionStamps>>;
  readonly entry: string;
}

async function stamps(configName = ''): Promise<Stamps> {
  const entry = await scanModel(folder.path, 'm', configName);
  const wanted = understandModel(entry, { machine: { gpus: [] }, autoComplete: true });
  expect(wanted.problem).toBe('');
  return {
    versions: Object.fromEntries(wanted.versions.map((it) => [it.version, it])),
    entry: stampOfEntry(entry),
  };
}

const at = (path: string) => join(folder.path, path);

/** What of versions 1 and 2 changes when something is done; `entry` = that something did at all. */
async function changes(action: () => void): Promise<string> {
  const before = await stamps();
  action();
  const after = await stamps();
  const parts = [1, 2].flatMap((version) =>
    (['files', 'settings'] as const).flatMap((part) =>
      before.versions[version]?.[part] === after.versions[version]?.[part] ? [] : [`${part} of ${version}`],
    ),
  );
  return [...(before.entry === after.entry ? [] : ['entry']), ...parts].join(', ');
}

const SETTINGS = 'entry, settings of 1, settings of 2';
const FILES = 'entry, files of 1, files of 2';

describe('what a version is made of', () => {
  it.each([
    ['nothing', '', '', ''],
    ['the configuration', 'm/config.pbtxt', `${CONFIG} max_batch_size: 3`, SETTINGS],
    ['the configuration, but not what it says', 'm/config.pbtxt', `# hello\n${CONFIG}`, 'entry'],
    ['the labels', 'm/labels.txt', 'a\nc', SETTINGS],
    ['a file of one version', 'm/1/model.onnx', 'ONE', 'entry, files of 1'],
    ['a file deep in one version', 'm/2/a/b/c', 'x', 'entry, files of 2'],
    ['a file beside the versions', 'm/shared.bin', 'y', FILES],
    ['a new file beside the versions', 'm/other.bin', 'y', FILES],
    ['data of warm-up', 'm/warmup/sample', 'y', 'entry'],
    ['another configuration', 'm/configs/big.pbtxt', 'y', 'entry'],
    ['an initial state', 'm/initial_state/zero', 'y', FILES],
    ['a file with a dot in front', 'm/.hidden', 'y', ''],
    ['a file in a folder with a dot in front', 'm/.git/HEAD', 'y', ''],
    ['a file with a dot in front in a version', 'm/1/.cache', 'y', ''],
  ])('changes by %s as it should', async (_, path, text, expected) => {
    // Sizes may be equal: the time tells.
    const write = () => {
      if (path === '') return;
      folder.make({ [path]: text });
      utimesSync(at(path), 1000, 1000);
    };
    expect(await changes(write)).toBe(expected);
  });

  it('changes by a file that goes, and by one of the same size and time in its place', async () => {
    expect(await changes(() => rmSync(at('m/1/data/weights')))).toBe('entry, files of 1');
    folder.make({ other: 'two' });
    utimesSync(at('other'), 1000, 1000);
    utimesSync(at('m/2/model.onnx'), 1000, 1000);
    expect(await changes(() => renameSync(at('other'), at('m/2/model.onnx')))).toBe('entry, files of 2');
  });

  it('does not change by what the configuration of a version says of others', async () => {
    const policy = (text: string) => CONFIG.replace('all { }', text);
    folder.make({ 'm/config.pbtxt': policy('specific { versions: [ 1 ] }') });
    const before = await stamps();
    folder.make({ 'm/config.pbtxt': policy('specific { versions: [ 1, 2 ] }') });
    const after = await stamps();
    expect(after.versions[1]!.files).toBe(before.versions[1]!.files);
    expect([before.versions[2], after.versions[2]].map((it) => it !== undefined)).toEqual([false, true]);
  });

  it('differs between two folders of equal files, and not between two looks', async () => {
    const first = await stamps();
    expect(await stamps()).toEqual(first);
    renameSync(at('m'), at('moved'));
    mkdirSync(at('elsewhere'));
    renameSync(at('moved'), at('elsewhere/m'));
    const entry = await scanModel(at('elsewhere'), 'm', '');
    const wanted = understandModel(entry, { machine: { gpus: [] }, autoComplete: true });
    expect(wanted.versions[0]!.files).not.toBe(first.versions[1]!.files);
    expect(wanted.versions[0]!.settings).toBe(first.versions[1]!.settings);
  });

  it('changes with the configuration that is taken by name', async () => {
    const plain = await stamps();
    const named = await stamps('big');
    expect(named.entry).not.toBe(plain.entry);
    expect(named.versions[1]).toEqual({ ...plain.versions[1] });
  });
});

describe('links', () => {
  it('to a version folder are followed: swapping them changes that version only', async () => {
    folder.make({ 'blobs/x/model.onnx': 'one', 'blobs/y/model.onnx': 'two' });
    rmSync(at('m/1'), { recursive: true });
    symlinkSync(at('blobs/x'), at('m/1'));
    const swap = () => {
      symlinkSync(at('blobs/y'), at('next'));
      renameSync(at('next'), at('m/1'));
    };
    expect(await changes(swap)).toBe('entry, files of 1');
    expect(await changes(() => writeFileSync(at('blobs/y/model.onnx'), 'three'))).toBe('entry, files of 1');
  });

  it('as Kubernetes mounts a ConfigMap are seen to change, whatever was the same before', async () => {
    // m/config.pbtxt -> ..data/config.pbtxt, m/..data -> ..2001: a new folder is written, then ..data is swapped.
    folder.make({ 'm/..2001/config.pbtxt': CONFIG, 'm/..2001/labels.txt': 'a\nb' });
    symlinkSync('..2001', at('m/..data'));
    for (const name of ['config.pbtxt', 'labels.txt']) {
      rmSync(at(`m/${name}`));
      symlinkSync(`..data/${name}`, at(`m/${name}`));
    }
    const swap = (text: string, name: string) => () => {
      folder.make({ [`m/${name}/config.pbtxt`]: text, [`m/${name}/labels.txt`]: 'a\nb' });
      symlinkSync(name, at('m/..next'));
      renameSync(at('m/..next'), at('m/..data'));
    };
    expect(await changes(() => folder.make({ 'm/..2002/config.pbtxt': 'not yet' }))).toBe('');
    expect(await changes(swap(`${CONFIG} max_batch_size: 3`, '..2003'))).toBe(SETTINGS);
  });
});
