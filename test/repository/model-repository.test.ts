import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ControlMode } from '../../src/repository/model-repository.js';
import { RepositoryStage, until } from './repository-stage.js';

const NOT_EXPLICIT = 'UNAVAILABLE explicit model load / unload is not allowed if polling is enabled';
const OUTDATED =
  'INTERNAL Newer operation has been applied to the model lifecycle, current load operation is out-dated.';
const NOT_POLLED = "INTERNAL failed to load 'm', failed to poll from model repository";

let stage: RepositoryStage;

async function use(...parts: ConstructorParameters<typeof RepositoryStage>): Promise<void> {
  await stage.close();
  stage = new RepositoryStage(...parts);
}

/** What is written now was written long ago: all files have settled. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  stage = new RepositoryStage();
});

afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await stage.close();
});

describe('the start', () => {
  it.each(['none', 'poll'] as const)('loads all models in mode %s', async (mode) => {
    await use({ mode });
    stage.models({ a: 'x', b: 'bad', c: 'z' });
    await stage.repository.start();
    expect(stage.served).toEqual(['a/1 x', 'c/1 z']);
    expect(stage.repository.isComplete).toBe(false);
    expect(stage.repository.mode).toBe(mode);
  });

  it('loads those of the list in mode explicit, once each', async () => {
    await use({ loadModels: ['c', 'a', 'a'] });
    stage.models({ a: 'x', b: 'y', c: 'z' });
    await stage.repository.start();
    expect(stage.served).toEqual(['a/1 x', 'c/1 z']);
    expect(stage.events).toHaveLength(2);
    expect(stage.repository.isComplete).toBe(true);
    expect(await stage.index()).toEqual(['a/1 READY', 'b/', 'c/1 READY']);
    expect(await stage.index(true)).toEqual(['a/1 READY', 'c/1 READY']);
  });

  it('loads all for *, and none for no list', async () => {
    await use({ loadModels: ['*'] });
    stage.models({ a: 'x', b: 'y' });
    await stage.repository.start();
    expect(stage.served).toEqual(['a/1 x', 'b/1 y']);
    await use();
    stage.models({ a: 'x' });
    await stage.repository.start();
    expect([stage.served, stage.repository.isComplete]).toEqual([[], true]);
  });

  it('is not complete where a model of the list is nowhere', async () => {
    await use({ loadModels: ['a', 'none'] });
    stage.models({ a: 'x' });
    await stage.repository.start();
    expect([stage.served, stage.repository.isComplete]).toEqual([['a/1 x'], false]);
    expect(stage.lines).toContain("E failed to load 'none': no repository has a model of this name");
  });

  it('fails where a repository cannot be read', async () => {
    stage.folder.remove();
    await expect(stage.repository.start()).rejects.toThrow('it does not exist');
  });

  it('shows a model that is in two repositories, without a version', async () => {
    await use({ mode: 'none', repositories: ['r1', 'r2'] });
    stage.models({ 'r1/m': 'x', 'r2/m': 'y', 'r2/a': 'z' });
    await stage.repository.start();
    expect(await stage.index()).toEqual(['a/1 READY', 'm/ UNAVAILABLE model appears in two or more repositories']);
  });

  it('gives models of one name in two repositories names of their own with namespacing', async () => {
    await use({ loadModels: ['r1::m'], repositories: ['r1', 'r2'], scan: { namespacing: true } });
    stage.models({ 'r1/m': 'x', 'r2/m': 'y' });
    await stage.repository.start();
    expect(await stage.index()).toEqual(['r1::m/1 READY', 'r2::m/']);
    expect(await stage.loads('r2::m')).toBe('');
    expect(stage.served).toEqual(['r1::m/1 x', 'r2::m/1 y']);
    expect(() => stage.manager.find('m', '')).toThrow("Ask for 'r1::m' or 'r2::m'");
  });
});

describe('requests', () => {
  it.each(['none', 'poll'] as ControlMode[])('load and unload nothing in mode %s', async (mode) => {
    await use({ mode });
    stage.models({ m: 'x' });
    await stage.repository.start();
    expect(await stage.loads('m')).toBe(NOT_EXPLICIT);
    expect(() => stage.repository.unload('m', false)).toThrow('explicit model load / unload is not allowed');
    expect(stage.served).toEqual(['m/1 x']);
  });

  it('load a model, which serves when they are answered', async () => {
    stage.models({ m: 'x' });
    expect(await stage.loads('m')).toBe('');
    expect(stage.served).toEqual(['m/1 x']);
    expect(await stage.loads('m')).toBe('');
    expect(stage.events).toEqual(['load m/1 x']);
    stage.models({ m: 'longer' });
    expect(await stage.loads('m')).toBe('');
    expect(stage.served).toEqual(['m/1 longer']);
    stage.repository.unload('m', false);
    stage.repository.unload('unknown', false);
    expect(stage.served).toEqual([]);
    expect(await stage.loads('m')).toBe('');
    expect(stage.served).toEqual(['m/1 longer']);
  });

  it.each([
    ['', 'Model name cannot be empty. Please enter a valid name to deploy.'],
    [' \n', 'Model name cannot be empty. Please enter a valid name to deploy.'],
    ...['..', ' ..', '.. ', '.', '../m', 'a/../b', 'm/..', 'a/b', '/m', 'm/', 'a\\b', 'a\0'].map((name) => [
      name,
      `invalid model name '${name}', model name must not contain path traversal characters`,
    ]),
  ])('are refused for the name %j', async (name, text) => {
    expect(await stage.loads(name)).toBe(`INVALID_ARGUMENT ${text}`);
  });

  it('may have dots that lead to no other folder', async () => {
    const names = ['m..1', 'm....1', 'm.version1'];
    stage.models(Object.fromEntries(names.map((name) => [name, name])));
    for (const name of names) expect(await stage.loads(name)).toBe('');
    expect(stage.served).toHaveLength(names.length);
    // Folders whose names begin with a dot hold no models.
    expect(await stage.loads('...')).toBe("INTERNAL failed to load '...', failed to poll from model repository");
  });

  it('are refused for a model that is in two repositories', async () => {
    await use({ repositories: ['r1', 'r2'] });
    stage.models({ 'r1/m': 'x', 'r2/m': 'y' });
    expect(await stage.loads('m')).toBe(
      "INTERNAL failed to load 'm', failed to poll from model repository: model appears in two or more repositories",
    );
  });

  it('tell why a load failed, and what serves goes on', async () => {
    expect(await stage.loads('m')).toBe(NOT_POLLED);
    stage.models({ m: 'bad' });
    const failed = "INVALID_ARGUMENT load failed for model 'm': version 1 is at UNAVAILABLE state: Internal: no;\n";
    expect(await stage.loads('m')).toBe(failed);
    expect(await stage.index()).toEqual(['m/1 UNAVAILABLE Internal: no']);
    stage.models({ m: 'good' });
    expect(await stage.loads('m')).toBe('');
    stage.models({ m: 'bad' });
    expect(await stage.loads('m')).toBe(failed);
    stage.folder.make({ 'm/config.pbtxt': 'max_batch_size: {' });
    expect(await stage.loads('m')).toMatch(
      /^INTERNAL failed to load 'm', failed to poll from model repository: Invalid argument: /,
    );
    stage.folder.make({ 'm/config.pbtxt': 'backend: "onnxruntime" version_policy { specific { versions: 7 } }' });
    expect(await stage.loads('m')).toBe(
      "INVALID_ARGUMENT load failed for model 'm': at least one version must be available under the version policy of model 'm'\n",
    );
    expect(stage.served).toEqual(['m/1 good']);
  });

  it('run the agents of a model before it is loaded', async () => {
    stage.models({ m: 'x' });
    const agent = 'agents { name: "checksum" parameters { key: "MD5:1/model.onnx" value: "00" } }';
    stage.folder.make({ 'm/config.pbtxt': `model_repository_agents { ${agent} }` });
    expect(await stage.loads('m')).toMatch(
      /^INTERNAL failed to load 'm', failed to poll from model repository: Invalid argument: Mismatched MD5 hash for file /,
    );
    expect(stage.events).toEqual([]);
  });
});

describe('overrides', () => {
  it('of the configuration last until the next load', async () => {
    stage.models({ m: 'x' });
    const batch = () => stage.manager.find('m', '').batch;
    expect(await stage.loads('m', '{"max_batch_size":5,"backend":"onnxruntime"}')).toBe('');
    expect(batch()).toBe(5);
    expect(await stage.loads('m')).toBe('');
    expect(batch()).toBe(0);
  });

  it('of the configuration are refused with the field, and change nothing', async () => {
    stage.models({ m: 'x' });
    expect(await stage.loads('m', '{"max_batch_sise":5}')).toMatch(
      new RegExp(`^${NOT_POLLED}: Invalid config override: ModelConfig has no field 'max_batch_sise'`),
    );
    expect(await stage.loads('m', '{')).toMatch(
      new RegExp(`^${NOT_POLLED}: Invalid config override: the configuration`),
    );
    expect(stage.served).toEqual([]);
  });

  it('of files need a configuration', async () => {
    stage.models({ m: 'x' });
    expect(await stage.loads('m', null, { '1/model.onnx': 'y' })).toBe(NOT_POLLED);
    expect(stage.lines).toEqual(["E load of 'm': Load parameter 'config' must be specified for model file override"]);
  });

  it('of files are served instead of the folder, or without one, until the next load', async () => {
    stage.models({ m: 'x' });
    const config = '{"backend":"onnxruntime"}';
    expect(await stage.loads('m', config, { '1/model.onnx': 'y', '2/model.onnx': 'z' })).toBe('');
    expect(stage.served).toEqual(['m/2 z']);
    expect(await stage.loads('new', config, { '3/model.onnx': 'n' })).toBe('');
    expect(await stage.index()).toEqual(['m/2 READY', 'new/3 READY']);
    expect(await stage.loads('m')).toBe('');
    expect(stage.served).toEqual(['m/1 x', 'new/3 n']);
    expect(await stage.loads('new')).toBe(NOT_POLLED.replace("'m'", "'new'"));
    expect(stage.served).toEqual(['m/1 x', 'new/3 n']);
  });

  it('of files are refused with paths that lie elsewhere', async () => {
    expect(await stage.loads('m', '{}', { '../x': 'y' })).toMatch(
      /^INVALID_ARGUMENT parameter 'file:\.\.\/x': expected a path/,
    );
  });
});

describe('an unload', () => {
  it('outdates a load of the same model that has only looked at the folder', async () => {
    stage.models({ m: 'x', other: 'o' });
    stage.folder.make({ '.tmp/': '' });
    vi.stubEnv('TMPDIR', join(stage.folder.path, '.tmp'));
    const load = stage.loads('m');
    const files = stage.loads('m', '{"backend":"onnxruntime"}', { '1/model.onnx': 'y' });
    const other = stage.loads('other');
    stage.repository.unload('m', false);
    expect(await Promise.all([load, files, other])).toEqual([OUTDATED, OUTDATED, '']);
    expect(readdirSync(join(stage.folder.path, '.tmp'))).toEqual([]);
    expect([stage.served, stage.events]).toEqual([['other/1 o'], ['load other/1 o']]);
    expect(await stage.loads('m')).toBe('');
  });

  it('outdates one that loads', async () => {
    stage.models({ m: 'x' });
    let go = () => {};
    stage.onLoad = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const load = stage.loads('m');
    await until(() => stage.events.length > 0);
    stage.repository.unload('m', false);
    go();
    expect(await load).toBe(OUTDATED);
    expect(stage.events).toEqual(['load m/1 x', 'unload m/1 x']);
    expect(await stage.index()).toEqual(['m/1 UNAVAILABLE unloaded']);
  });
});

describe('files that change', () => {
  it('while they are loaded are loaded again before the load ends', async () => {
    stage.models({ m: 'x' });
    stage.onLoad = () => {
      if (stage.events.length === 1) stage.models({ m: 'newer' });
    };
    expect(await stage.loads('m')).toBe('');
    expect(stage.events).toEqual(['load m/1 x', 'load m/1 newer', 'unload m/1 x']);
    expect(stage.lines).toContain("W the files of model 'm' changed while it was loaded: it is loaded again");
  });

  it('and go while they are loaded fail the next look, and what has loaded goes on', async () => {
    stage.models({ m: 'x' });
    stage.onLoad = () => rmSync(join(stage.folder.path, 'm'), { recursive: true });
    expect(await stage.loads('m')).toBe(NOT_POLLED);
    expect(stage.served).toEqual(['m/1 x']);
  });
});
