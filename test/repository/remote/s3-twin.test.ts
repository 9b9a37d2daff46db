import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.js';
import { parseLocation, type S3Location } from '../../../src/config/repository-location.js';
import { S3Repository } from '../../../src/repository/remote/s3-repository.js';
import { changedMs, scanRepositories } from '../../../src/repository/scan.js';
import { keys, S3Server } from './s3-server.js';

type Step =
  | { readonly kind: 'put'; readonly model: string; readonly path: string; readonly content: string }
  | { readonly kind: 'delete'; readonly model: string; readonly path: string }
  | { readonly kind: 'sync'; readonly model?: string }
  | { readonly kind: 'restart' };

const model = fc.constantFrom('m', 'n', 'o');
const path = fc.constantFrom('config.pbtxt', '1/model.onnx', '2/model.onnx', '2/data/weights');
const content = fc.constantFrom('', 'a', 'b', 'a longer text');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), model, path, content }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), model, path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sync' as const), model }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'sync' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** Content by path, of each model that has any. */
type Models = Record<string, Record<string, string>>;

let store: S3Server;
const limits = { connectMs: 1000, idleMs: 1000, retryMs: 1 };

beforeAll(async () => {
  store = await S3Server.open();
});

afterAll(() => store.close());

/** What the store has and what the folder should have, with the plainest means. */
class Twin {
  readonly stored: Models = {};
  folder: Models = {};

  put(name: string, file: string, text: string): void {
    this.stored[name] = { ...this.stored[name], [file]: text };
  }

  delete(name: string, file: string): void {
    const { [file]: _, ...rest } = this.stored[name] ?? {};
    if (Object.keys(rest).length > 0) this.stored[name] = rest;
    else delete this.stored[name];
  }

  sync(name?: string): void {
    const { [name ?? '']: _, ...others } = this.folder;
    const brought = name === undefined ? this.stored : { [name]: this.stored[name] ?? {} };
    const next = { ...(name === undefined ? {} : others), ...structuredClone(brought) };
    this.folder = Object.fromEntries(Object.entries(next).filter(([, files]) => Object.keys(files).length > 0));
  }
}

async function modelsIn(directory: string): Promise<Models> {
  const models: Models = {};
  for (const name of await readdir(directory)) {
    const files: Record<string, string> = {};
    for (const entry of await readdir(join(directory, name), { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      if (entry.isFile()) files[file.slice(join(directory, name).length + 1)] = await readFile(file, 'utf8');
    }
    models[name] = files;
  }
  return models;
}

/** When each model's folder changed, as a poll of the repository sees it. */
async function changeTimes(directory: string): Promise<Map<string, number>> {
  const models = await scanRepositories({ repositories: [directory], configName: '', namespacing: false });
  return new Map([...models].map(([name, entry]) => [name, changedMs(entry)]));
}

let run = 0;

async function play(steps: readonly Step[]): Promise<void> {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'conch-twin-'));
  const prefix = `run${run++}`;
  const location = parseLocation(store.url(prefix)) as S3Location;
  const open = () => S3Repository.open(location, { env: keys, log: silentLog, limits, cacheFolder });
  await store.put(`${prefix}/README.md`, 'so that there is something when there are no models');
  const twin = new Twin();
  let repository = await open();
  for (const taken of [...steps, { kind: 'sync' } as const]) {
    if (taken.kind === 'put') {
      twin.put(taken.model, taken.path, taken.content);
      await store.put(`${prefix}/${taken.model}/${taken.path}`, taken.content);
    } else if (taken.kind === 'delete') {
      twin.delete(taken.model, taken.path);
      await store.delete(`${prefix}/${taken.model}/${taken.path}`);
    } else if (taken.kind === 'restart') {
      await repository.close();
      repository = await open();
    } else {
      const [before, timesBefore] = [twin.folder, await changeTimes(repository.directory)];
      twin.sync(taken.model);
      await repository.sync(taken.model);
      const times = await changeTimes(repository.directory);
      for (const [name, files] of Object.entries(twin.folder)) {
        const isSame = JSON.stringify(sorted(files)) === JSON.stringify(sorted(before[name] ?? {}));
        expect([name, times.get(name) === timesBefore.get(name)]).toEqual([name, isSame]);
      }
    }
    expect(await modelsIn(repository.directory)).toEqual(twin.folder);
  }
  await repository.close();
  await rm(cacheFolder, { recursive: true });
}

function sorted(files: Record<string, string>): [string, string][] {
  return Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}

it('the folder is what the store was at the last sync, and models that did not change are not touched', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), play), { numRuns: 25 });
});
