import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys, S3Server } from '../repository/remote/s3-server.js';
import { ask, askJson, get, infer, outputsOf, post, simpleInputs, simpleOutputs } from './requests.js';
import { MainProcess, makeRepository, root } from './server.js';

let store: S3Server;
let cache = '';
let main: MainProcess | null = null;

beforeEach(async () => {
  store = await S3Server.open();
  cache = await mkdtemp(join(tmpdir(), 'conch-cache-'));
  await store.putFolder(join(root, 'examples/models/simple'), 'live/simple');
});

afterEach(async () => {
  main?.child.kill('SIGTERM');
  await main?.exit;
  main = null;
  await store.close();
  await rm(cache, { recursive: true });
});

function start(url: string, flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}): MainProcess {
  const args = ['--model-repository', url, '--http-port=0', '--grpc-port=0', '--metrics-port=0', ...flags];
  main = new MainProcess(args, [], { ...keys, TRITON_AWS_MOUNT_DIRECTORY: cache, ...env });
  return main;
}

async function ready(process: MainProcess): Promise<number> {
  const [, port] = await process.printed(/^Ready at http:\/\/127\.0\.0\.1:(\d+)$/m);
  return Number(port);
}

async function stop(process: MainProcess): Promise<void> {
  process.child.kill('SIGTERM');
  expect(await process.exit).toBe(0);
}

describe('a server with a repository in S3', () => {
  test('serves its models', async () => {
    const port = await ready(start(store.url('live')));
    expect(outputsOf(await ask(port, infer('simple', simpleInputs(5))))).toEqual(simpleOutputs(5));
    expect(main!.output).toMatch(/model 'simple' is here, \d+ files \(\d+ bytes\) were downloaded/);
    expect(main!.output).not.toContain('NodeVersionSupportWarning');
    await stop(main!);
  });

  test('serves what it had when the store is away at the next start, and says so', async () => {
    const url = store.url('live');
    await ready(start(url));
    await stop(main!);
    await store.goAway();
    const port = await ready(start(url));
    expect(main!.output).toMatch(/ECONNREFUSED.* what is here already is served/);
    expect(outputsOf(await ask(port, infer('simple', simpleInputs(5))))).toEqual(simpleOutputs(5));
    await stop(main!);
  });

  test('merges it with a folder', async () => {
    const folder = await makeRepository(['multi_version']);
    const port = await ready(start(store.url('live'), [folder]));
    expect(await askJson(port, get('/v2/models'))).toEqual({ models: ['multi_version', 'simple'] });
    await stop(main!);
    await rm(folder, { recursive: true });
  });

  test('follows it in mode poll, and goes on with what it has while it is away', async () => {
    const port = await ready(start(store.url('live'), ['--model-control-mode=poll', '--repository-poll-secs=1']));
    await store.putFolder(join(root, 'test/models/multi_version'), 'live/multi_version');
    await main!.printed(/successfully loaded 'multi_version' version 3/);
    await store.goAway();
    await main!.printed(/cannot be reached .*what is here already stays as it is/);
    expect(await askJson(port, get('/v2/models'))).toEqual({ models: ['multi_version', 'simple'] });
    expect(outputsOf(await ask(port, infer('simple', simpleInputs(5))))).toEqual(simpleOutputs(5));
    await stop(main!);
  });

  test('asks it for a model that a request loads, and says why it cannot be had', async () => {
    const port = await ready(start(store.url('live'), ['--model-control-mode=explicit']));
    await store.putFolder(join(root, 'examples/models/digits'), 'live/digits');
    const load = post('/v2/repository/models/digits/load', '');
    expect(await askJson(port, load)).toEqual({ name: 'digits', load: true });
    await store.goAway();
    expect(await askJson(port, load)).toEqual({
      error: expect.stringMatching(
        /^failed to load 'digits', failed to poll from model repository: .*cannot be reached/,
      ),
    });
    expect((await ask(port, get('/v2/models/digits/ready'))).status).toBe(200);
    await stop(main!);
  });

  test('ends at once where it is told to while it waits for the store', async () => {
    let isAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    store.onRead = ({ key }) => {
      if (key === '') return null;
      isAsked();
      return { kind: 'stall', bytes: 10 };
    };
    const process = start(store.url('live'));
    await asked;
    await stop(process);
  });

  test('goes on without a model that cannot be had only where that is allowed', async () => {
    await store.put('live/broken/1/model.onnx', 'x');
    store.onRead = ({ key }) => {
      return key === '' ? { kind: 'text', edit: (text) => text.replaceAll('broken/1', 'broken/..') } : null;
    };
    const strict = start(store.url('live'));
    expect(await strict.exit).toBe(1);
    expect(strict.output).toMatch(/model 'broken': .*the key .*live\/broken\/\.\.\/model\.onnx.* is refused/);
    const port = await ready(start(store.url('live'), ['--exit-on-error=false']));
    expect(await askJson(port, get('/v2/models'))).toEqual({ models: ['simple'] });
    await stop(main!);
  });
});

describe('a repository that cannot be had ends the start with 1 and the reason', () => {
  test('wrong credentials', async () => {
    const process = start(store.url('live'), [], { AWS_SECRET_ACCESS_KEY: 'hidden-secret' });
    expect(await process.exit).toBe(1);
    expect(process.output).toContain('the secret key of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is wrong');
    expect(process.output).not.toContain('hidden-secret');
  });

  test('no credentials', async () => {
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: cache };
    const process = start(store.url('live'), [], none);
    expect(await process.exit).toBe(1);
    expect(process.output).toContain('found no credentials in the AWS profile files or the role of this machine');
  });

  test('a store that is away, without a cache', async () => {
    const url = store.url('live');
    await store.goAway();
    const process = start(url);
    expect(await process.exit).toBe(1);
    expect(process.output).toMatch(/creating server: Unavailable: s3:.*cannot be reached/);
  });

  test('a cache folder that does not exist', async () => {
    const process = start(store.url('live'), [], { TRITON_AWS_MOUNT_DIRECTORY: '/nowhere/at/all' });
    expect(await process.exit).toBe(1);
    expect(process.output).toContain('TRITON_AWS_MOUNT_DIRECTORY: expected a folder that exists');
  });

  test.each(['gs://bucket/models', 'as://account/container'])('%s', async (url) => {
    const process = start(url);
    expect(await process.exit).toBe(1);
    expect(process.output).toContain(`${url.slice(0, 5)} is refused`);
  });
});
