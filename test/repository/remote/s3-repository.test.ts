import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../../src/base/log.js';
import { parseLocation, type S3Location } from '../../../src/config/repository-location.js';
import type { Environment } from '../../../src/repository/remote/credentials.js';
import { S3Repository } from '../../../src/repository/remote/s3-repository.js';
import { changedMs, type ModelEntry, scanRepositories } from '../../../src/repository/scan.js';
import { keys, S3Server } from './s3-server.js';

let store: S3Server;
let cacheFolder = '';
let lines: string[] = [];
const opened: S3Repository[] = [];
// `idleMs` is longer than a busy machine keeps this process waiting: what it cuts off is read again, which tests count.
const limits = { connectMs: 1000, idleMs: 1500, retryMs: 1 };

beforeEach(async () => {
  store = await S3Server.open();
  cacheFolder = await mkdtemp(join(tmpdir(), 'conch-cache-'));
  lines = [];
});

afterEach(async () => {
  for (const repository of opened.splice(0)) await repository.close();
  await store.close();
  await rm(cacheFolder, { recursive: true });
});

const log: Log = {
  info: (line) => lines.push(line),
  warning: (line) => lines.push(line),
  error: (line) => lines.push(line),
  verbose() {},
};

async function open(url = store.url('live'), env: Environment = keys): Promise<S3Repository> {
  const location = parseLocation(url) as S3Location;
  const repository = await S3Repository.open(location, { env, log, limits, cacheFolder });
  opened.push(repository);
  return repository;
}

/** As after the end of a process. */
async function restart(repository: S3Repository): Promise<S3Repository> {
  opened.splice(opened.indexOf(repository), 1);
  await repository.close();
  return open();
}

async function filesOf({ directory }: S3Repository): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const model of await readdir(directory)) {
    for (const entry of await readdir(join(directory, model), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files[path.slice(directory.length + 1)] = await readFile(path, 'utf8');
    }
  }
  return files;
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    ({ code, message }) => ({ code, message }),
  );
}

describe('a repository in S3', () => {
  it('is a folder of models that can be scanned', async () => {
    await store.put('live/m/config.pbtxt', 'name: "m"');
    await store.put('live/m/1/model.onnx', 'one');
    await store.put('live/m/empty/', '');
    await store.put('live/n/3/a b/ü%+.bin', '');
    await store.put('live/README.md', 'no model');
    await store.put('other/x/1/model.onnx', 'not below the path');
    const repository = await open();
    await repository.sync();
    const expected = { 'm/config.pbtxt': 'name: "m"', 'm/1/model.onnx': 'one', 'n/3/a b/ü%+.bin': '' };
    expect(await filesOf(repository)).toEqual(expected);
    const models = await scan(repository);
    expect([...models.keys()]).toEqual(['m', 'n']);
    expect(models.get('m')).toMatchObject({ configText: 'name: "m"', problem: '', versions: [{ version: 1 }] });
    expect((await stat(join(repository.directory, 'm/empty'))).isDirectory()).toBe(true);
    expect(repository.coverage).toBe('all');
  });

  it('may be a whole bucket, and an empty one', async () => {
    const repository = await open(store.url());
    await repository.sync();
    expect([await filesOf(repository), repository.coverage]).toEqual([{}, 'all']);
    await store.put('m/1/model.onnx', 'one');
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'one' });
  });

  it('is asked for what changed, and nothing else is touched', async () => {
    await store.put('live/m/config.pbtxt', 'm');
    await store.put('live/m/1/model.onnx', 'one');
    await store.put('live/n/1/model.onnx', 'one');
    const repository = await open();
    await repository.sync();
    const times = changedMs(await entryOf(repository, 'n'));
    store.requests.length = 0;
    await repository.sync();
    expect(store.downloads).toEqual([]);
    await store.put('live/m/2/model.onnx', 'two');
    await repository.sync();
    expect(store.downloads).toEqual(['live/m/2/model.onnx']);
    await store.delete('live/m/1/model.onnx');
    await repository.sync();
    expect(await filesOf(repository)).toEqual({
      'm/config.pbtxt': 'm',
      'm/2/model.onnx': 'two',
      'n/1/model.onnx': 'one',
    });
    expect(store.downloads).toEqual(['live/m/2/model.onnx']);
    expect(changedMs(await entryOf(repository, 'n'))).toBe(times);
  });

  it('brings one model alone', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    await store.put('live/n/1/model.onnx', 'n');
    const repository = await open();
    await repository.sync('n');
    expect([await filesOf(repository), repository.coverage]).toEqual([{ 'n/1/model.onnx': 'n' }, 'some']);
    await repository.sync('nobody');
    expect(await failure(repository.sync('../n'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('keeps a state that is loaded while newer ones come, and drops it after some', async () => {
    await store.put('live/m/1/model.onnx', '0');
    const repository = await open();
    await repository.sync();
    const loaded = join((await entryOf(repository, 'm')).directory, '1/model.onnx');
    for (const content of ['1', '2']) {
      await store.put('live/m/1/model.onnx', content);
      await repository.sync();
      expect(await readFile(loaded, 'utf8')).toBe('0');
    }
    await store.put('live/m/1/model.onnx', '3');
    await repository.sync();
    await expect(readFile(loaded)).rejects.toThrow('ENOENT');
  });

  it('says that a state changed when the store goes back to an older one', async () => {
    await store.put('live/m/1/model.onnx', '0');
    const repository = await open();
    await repository.sync();
    await store.put('live/m/1/model.onnx', '1');
    await repository.sync();
    const before = changedMs(await entryOf(repository, 'm'));
    await store.put('live/m/1/model.onnx', '0');
    await repository.sync();
    expect(changedMs(await entryOf(repository, 'm'))).toBeGreaterThan(before);
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': '0' });
  });

  it('keeps the files of a model that is gone until the sync after', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    await store.put('live/n/1/model.onnx', 'n');
    const repository = await open();
    await repository.sync();
    const loaded = join((await entryOf(repository, 'm')).directory, '1/model.onnx');
    await store.delete('live/m/1/model.onnx');
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'n/1/model.onnx': 'n' });
    expect(await readFile(loaded, 'utf8')).toBe('m');
    await repository.sync();
    await expect(readFile(loaded)).rejects.toThrow('ENOENT');
  });

  it('has no model where there is only a folder, and is complete without', async () => {
    await store.put('live/empty/', '');
    const repository = await open();
    await repository.sync();
    expect([await filesOf(repository), repository.coverage]).toEqual([{}, 'all']);
  });

  it('may be brought here by several at the same time', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    await store.put('live/n/1/model.onnx', 'n');
    const repository = await open();
    await Promise.all([repository.sync(), repository.sync('m'), repository.sync(), repository.sync('m')]);
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'm', 'n/1/model.onnx': 'n' });
    expect(store.downloads).toEqual(['live/m/1/model.onnx', 'live/n/1/model.onnx']);
  });

  it('shares nothing with another server of the same URL', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    const [one, two] = [await open(), await open()];
    await Promise.all([one.sync(), two.sync()]);
    expect(one.directory).not.toBe(two.directory);
    expect(await filesOf(two)).toEqual(await filesOf(one));
  });
});

describe('after a restart', () => {
  it('what is there already is not read again', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    let repository = await open();
    await repository.sync();
    const before = repository.directory;
    store.requests.length = 0;
    repository = await restart(repository);
    expect([repository.directory, repository.coverage]).toEqual([before, 'all']);
    await repository.sync();
    expect(store.downloads).toEqual([]);
  });

  it('a file that was damaged is read again', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    let repository = await open();
    await repository.sync();
    await truncate(join(repository.directory, 'm/1/model.onnx'));
    repository = await restart(repository);
    expect(repository.coverage).toBe('none');
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'm' });
  });
});

describe('a store with faults', () => {
  const large = Buffer.alloc(500_000, 'conch');

  it('that cuts the connection is asked for the rest', async () => {
    await store.put('live/m/1/model.onnx', large);
    let cuts = 0;
    store.onRead = ({ key }) => (key !== '' && cuts++ < 3 ? { kind: 'cut', bytes: 100_000 } : null);
    const repository = await open();
    await repository.sync();
    expect(await readFile(join(repository.directory, 'm/1/model.onnx'))).toEqual(large);
    const ranges = store.requests.filter(({ key }) => key !== '').map(({ range }) => range);
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBe('');
    expect(ranges.slice(1).every((range) => /^bytes=\d+-$/.test(range))).toBe(true);
  });

  it('that stops in the middle is asked for the rest', async () => {
    await store.put('live/m/1/model.onnx', large);
    let stalls = 0;
    store.onRead = ({ key }) => (key !== '' && stalls++ === 0 ? { kind: 'stall', bytes: 100_000 } : null);
    const repository = await open();
    await repository.sync();
    expect(await readFile(join(repository.directory, 'm/1/model.onnx'))).toEqual(large);
    expect(stalls).toBe(2);
  });

  it('that never gets further is given up, and what was there stays', async () => {
    await store.put('live/m/1/model.onnx', 'old');
    const repository = await open();
    await repository.sync();
    await store.put('live/m/1/model.onnx', large);
    store.onRead = ({ key }) => (key === '' ? null : { kind: 'cut', bytes: 0 });
    const { code, message } = await failure(repository.sync());
    expect(code).toBe('UNAVAILABLE');
    expect(message).toContain("model 'm'");
    expect(message).toContain('it stays as it was');
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'old' });
    expect(repository.coverage).toBe('all');
  });

  it('whose object vanishes between list and read is listed again', async () => {
    await store.put('live/m/1/model.onnx', 'one');
    await store.put('live/m/2/model.onnx', 'two');
    store.onRead = async ({ key }) => {
      if (key === 'live/m/1/model.onnx') await store.delete(key);
      return null;
    };
    const repository = await open();
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'm/2/model.onnx': 'two' });
  });

  it('whose model changes while it is read never shows two states', async () => {
    await store.put('live/m/1/a', 'a0');
    await store.put('live/m/1/b', 'b0');
    let changes = 0;
    store.onRead = async ({ key }) => {
      if (key === 'live/m/1/b' && changes < 2) {
        changes++;
        await store.put('live/m/1/a', `a${changes}`);
        await store.put('live/m/1/b', `b${changes}`);
      }
      return null;
    };
    const repository = await open();
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'm/1/a': 'a2', 'm/1/b': 'b2' });
  });

  it('whose model changes all the time is given up, and others are brought', async () => {
    await store.put('live/m/1/a', '0');
    await store.put('live/n/1/a', 'n');
    // A read that the store is slow to answer is repeated, on a busy machine: it is of the same try.
    const tries = new Set<string>();
    store.onRead = async ({ key, ifMatch }) => {
      if (key === 'live/m/1/a' && !tries.has(ifMatch)) await store.put(key, `${tries.add(ifMatch).size}`);
      return null;
    };
    const repository = await open();
    const { code, message } = await failure(repository.sync());
    expect([code, tries.size]).toEqual(['UNAVAILABLE', 5]);
    expect(message).toMatch(/model 'm'.* it changed each of 5 times/);
    expect(await filesOf(repository)).toEqual({ 'n/1/a': 'n' });
    expect(repository.coverage).toBe('some');
  });

  it.each([
    [
      'bytes',
      (text: string) => text.replace(/(?<=&quot;)[0-9a-f]{32}/, '0'.repeat(32)),
      /has the MD5 .*, its ETag is 0{32}/,
    ],
    ['size', (text: string) => text.replace('<Size>3<', '<Size>2<'), /has more than 2 bytes/],
    ['length', (text: string) => text.replace('<Size>3<', '<Size>4<'), /is gone, or another one/],
  ])('whose objects have other %s than it says is not believed', async (_, edit, expected) => {
    await store.put('live/m/1/model.onnx', 'old');
    const repository = await open();
    await repository.sync();
    await store.put('live/m/1/model.onnx', 'new');
    store.onRead = ({ key }) => (key === '' ? { kind: 'text', edit } : null);
    expect((await failure(repository.sync())).message).toMatch(expected);
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'old' });
  });

  it('that is away leaves what is there, and is found again', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    const repository = await open();
    await repository.sync();
    const port = await store.goAway();
    expect(await failure(repository.sync())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'm' });
    expect(repository.coverage).toBe('all');
    await store.comeBack(port);
    await store.put('live/m/1/model.onnx', 'm2');
    await repository.sync();
    expect(await filesOf(repository)).toEqual({ 'm/1/model.onnx': 'm2' });
  });

  it('is not waited for when the server ends', async () => {
    await store.put('live/m/1/model.onnx', large);
    let isAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    store.onRead = ({ key }) => {
      if (key === '') return null;
      isAsked();
      return { kind: 'stall', bytes: 1000 };
    };
    const repository = await open();
    const sync = failure(repository.sync());
    await asked;
    await repository.close();
    expect(await sync).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('the server is stopping'),
    });
    opened.pop();
  });
});

describe('keys that are no paths', () => {
  /** The server under test stores files, and so no such keys: its listing is edited. */
  async function withKey(key: string): Promise<{ message: string; files: Record<string, string> }> {
    await store.put('live/good/1/model.onnx', 'g');
    await store.put('live/m/PLACE', 'm');
    store.onRead = ({ key: object }) => {
      return object === '' ? { kind: 'text', edit: (text) => text.replaceAll('m/PLACE', key) } : null;
    };
    const repository = await open();
    const { message } = await failure(repository.sync());
    return { message, files: await filesOf(repository) };
  }

  it.each([
    ['m/../../../evil', "'..' as a name"],
    ['m/./x', "'.' as a name"],
    ['m//etc/passwd', 'an empty name'],
    ['m/1\\2', 'a control character, slash or backslash'],
    ['m/1&#x7f;', 'a control character, slash or backslash'],
    [`m/${'x'.repeat(256)}`, 'a name of more than 255 bytes'],
    ['m/1/', 'a folder with 1 bytes of content'],
  ])('%s is refused by name, and other models come', async (key, found) => {
    const { message, files } = await withKey(key);
    expect(message).toContain(found);
    expect(message).toContain("model 'm'");
    expect(files).toEqual({ 'good/1/model.onnx': 'g' });
    expect(await readdir(cacheFolder)).toEqual(['0']);
  });
});

describe('what cannot work is said', () => {
  const secret = { ...keys, AWS_SECRET_ACCESS_KEY: 'very secret' };

  it('a wrong secret key', async () => {
    const { code, message } = await failure((await open(store.url('live'), secret)).sync());
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toMatch(
      /^s3:.*\/models\/live: expected to list the models, found the secret key of AWS_ACCESS_KEY_ID/,
    );
    expect(message).not.toContain('very secret');
  });

  it('an unknown access key', async () => {
    const { message } = await failure((await open(store.url(), { ...keys, AWS_ACCESS_KEY_ID: 'nobody' })).sync());
    expect(message).toMatch(/does not know the key of AWS_ACCESS_KEY_ID/);
  });

  it('no bucket', async () => {
    const url = store.url().replace('/models', '/nothing');
    expect(await failure((await open(url)).sync())).toEqual({
      code: 'NOT_FOUND',
      message: `${url}: expected to list the models, found no bucket 'nothing'; correct its name, or create it`,
    });
  });

  it('nothing below the path', async () => {
    await store.put('live/m/1/model.onnx', 'm');
    const { code, message } = await failure((await open(store.url('life'))).sync());
    expect(code).toBe('NOT_FOUND');
    expect(message).toMatch(/found no object below 'life\/' in the bucket 'models'; correct the path/);
  });

  it('a server that is none of S3', async () => {
    store.onRead = () => ({ kind: 'text', edit: () => '<html>hello' });
    expect((await failure((await open()).sync())).message).toMatch(/127\.0\.0\.1:\d+ does not speak S3/);
  });

  it('a server that is not there', async () => {
    const url = store.url();
    const port = await store.goAway();
    const { code, message } = await failure((await open(url)).sync());
    expect(code).toBe('UNAVAILABLE');
    expect(message).toContain(`http://127.0.0.1:${port} cannot be reached (ECONNREFUSED)`);
  });
});

function scan({ directory }: S3Repository) {
  return scanRepositories({ repositories: [directory], configName: '', namespacing: false });
}

async function entryOf(repository: S3Repository, model: string): Promise<ModelEntry> {
  return (await scan(repository)).get(model)!;
}
