import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chainConfig, RepositoryStage, until } from './repository-stage.js';

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
  await stage.close();
});

const remove = (name: string) => rmSync(join(stage.folder.path, name), { recursive: true });
const loads = () => stage.events.filter((event) => event.startsWith('load'));
const whole = ['e/1 (m/1 x, n/1 y)', 'm/1 x', 'n/1 y', 'top/1 (e/1 (m/1 x, n/1 y), m/1 x)'];

/** `top` runs `e` and `m`, `e` runs `m` and `n`; `other` is alone. */
function writeAll(): void {
  stage.models({ m: 'x', n: 'y', other: 'o' });
  stage.ensembles({ e: ['m', 'n'], top: ['e', 'm'] });
}

describe('the start', () => {
  it.each(['none', 'poll'] as const)('loads steps before ensembles in mode %s', async (mode) => {
    await use({ mode });
    writeAll();
    await stage.repository.start();
    expect(stage.served).toEqual([...whole.slice(0, 3), 'other/1 o', whole[3]]);
    expect([stage.repository.isComplete, loads()]).toEqual([true, expect.arrayContaining([expect.anything()])]);
    expect(loads().slice(-2)).toEqual(['load e/1 (m/1 x, n/1 y)', `load ${whole[3]}`]);
  });

  it('loads the steps of what --load-model names, and theirs', async () => {
    await use({ loadModels: ['top'] });
    writeAll();
    await stage.repository.start();
    expect(stage.served).toEqual(whole);
    expect(stage.repository.isComplete).toBe(true);
    expect(await stage.index()).toContain('other/');
  });

  it('loads the step of the same repository alone with namespacing', async () => {
    await use({ loadModels: ['e'], repositories: ['r1', 'r2'], scan: { namespacing: true } });
    stage.models({ 'r1/m': 'x', 'r2/m': 'y' });
    stage.ensembles({ 'r2/e': ['m'] });
    await stage.repository.start();
    expect(stage.served).toEqual(['e/1 (r2::m/1 y)', 'r2::m/1 y']);
  });

  it('is not complete where a step is not there, or fails', async () => {
    await use({ loadModels: ['e', 'f'] });
    stage.models({ n: 'bad', m: 'x' });
    stage.ensembles({ e: ['m', 'nobody'], f: ['m', 'n'] });
    await stage.repository.start();
    expect(stage.repository.isComplete).toBe(false);
    expect(stage.served).toEqual(['m/1 x']);
    expect(await stage.index()).toEqual([
      'e/ UNAVAILABLE Invalid argument: ensemble e contains models that are not available or ambiguous: nobody',
      "f/ UNAVAILABLE Invalid argument: ensemble 'f' depends on 'n' which has no loaded version. " +
        "Model 'n' loading failed with error: version 1 is at UNAVAILABLE state: Internal: no;",
      'm/1 READY',
      'n/1 UNAVAILABLE Internal: no',
    ]);
  });

  it('takes an ensemble with nothing in its version folder, and refuses one without', async () => {
    await use({ mode: 'none' });
    stage.models({ m: 'x' });
    stage.folder.make({ 'e/config.pbtxt': chainConfig(['m']), 'e/1/': '', 'f/config.pbtxt': chainConfig(['m']) });
    await stage.repository.start();
    expect(await stage.index()).toEqual([
      'e/1 READY',
      "f/ UNAVAILABLE Invalid argument: at least one version must be available under the version policy of model 'f'",
      'm/1 READY',
    ]);
  });

  it('prefers steps of the same repository with namespacing', async () => {
    await use({ mode: 'none', repositories: ['r1', 'r2', 'r3'], scan: { namespacing: true } });
    stage.models({ 'r1/m': 'x', 'r2/m': 'y', 'r3/only': 'z' });
    stage.ensembles({ 'r2/e': ['m', 'only'], 'r3/f': ['m'] });
    await stage.repository.start();
    expect(stage.served).toEqual(['e/1 (r2::m/1 y, only/1 z)', 'only/1 z', 'r1::m/1 x', 'r2::m/1 y']);
    expect(await stage.index()).toContain(
      'f/ UNAVAILABLE Invalid argument: ensemble f contains models that are not available or ambiguous: m',
    );
  });
});

describe('a load of an ensemble', () => {
  it('loads its steps, and reloads those that changed', async () => {
    writeAll();
    expect(await stage.loads('top')).toBe('');
    expect(stage.served).toEqual(whole);
    stage.models({ n: 'longer' });
    expect(await stage.loads('top')).toBe('');
    expect(stage.served).toContain('top/1 (e/1 (m/1 x, n/1 longer), m/1 x)');
    expect(loads().filter((event) => event.startsWith('load m'))).toHaveLength(1);
  });

  it('leaves steps alone that came with a load request', async () => {
    writeAll();
    expect(await stage.loads('n', '{}', { '1/model.onnx': 'mine' })).toBe('');
    expect(await stage.loads('m', '{"max_batch_size": 3}')).toBe('');
    expect(await stage.loads('e')).toBe('');
    expect(stage.served).toEqual(['e/1 (m/1 x, n/1 mine)', 'm/1 x', 'n/1 mine']);
    expect(stage.manager.find('m', '').batch).toBe(3);
  });

  it('may bring its configuration along, and files', async () => {
    writeAll();
    const json = {
      platform: 'ensemble',
      input: [{ name: 'a', data_type: 'TYPE_FP32', dims: [1] }],
      output: [{ name: 'b', data_type: 'TYPE_FP32', dims: [1] }],
      ensemble_scheduling: {
        step: [{ model_name: 'n', model_version: -1, input_map: { x: 'a' }, output_map: { y: 'b' } }],
      },
    };
    expect(await stage.loads('e', JSON.stringify(json))).toBe('');
    expect(await stage.loads('fresh', JSON.stringify(json), { '1/none': '' })).toBe('');
    expect(stage.served).toEqual(['e/1 (n/1 y)', 'fresh/1 (n/1 y)', 'n/1 y']);
  });

  it('is answered with what its steps lack', async () => {
    stage.models({ m: 'x', n: 'bad' });
    stage.ensembles({ e: ['m', 'x', 'y'], f: ['n'], a: ['b'], b: ['a'] });
    const refused = (name: string, text: string) => `INVALID_ARGUMENT load failed for model '${name}': ${text}\n`;
    expect(await stage.loads('e')).toBe(
      refused('e', 'ensemble e contains models that are not available or ambiguous: x, y'),
    );
    expect(await stage.loads('f')).toBe(
      refused(
        'f',
        "ensemble 'f' depends on 'n' which has no loaded version. Model 'n' loading failed with error: " +
          'version 1 is at UNAVAILABLE state: Internal: no;',
      ),
    );
    expect(await stage.loads('b')).toBe(refused('b', 'circular dependency between ensembles: b -> ... -> a -> b'));
    expect(stage.served).toEqual(['m/1 x']);
  });

  it('takes the step as it is here where its repository cannot be had', async () => {
    writeAll();
    stage.onSync = async (name) => {
      if (name === 'n') throw new Error('gone');
    };
    expect(await stage.loads('e')).toBe('');
    expect(stage.lines).toContain("W step 'n' of 'e' is taken as it is here: Internal: gone");
  });

  it('loads again what changed meanwhile, steps too', async () => {
    writeAll();
    stage.onLoad = () => {
      if (stage.events.at(-1) === 'load n/1 y') stage.models({ n: 'newer' });
    };
    expect(await stage.loads('e')).toBe('');
    expect(stage.served).toEqual(['e/1 (m/1 x, n/1 newer)', 'm/1 x', 'n/1 newer']);
  });
});

describe('an unload', () => {
  it('of a step takes the ensembles along; loading it again brings them back before it is answered', async () => {
    writeAll();
    await stage.loads('top');
    stage.repository.unload('n', false);
    expect(stage.served).toEqual(['m/1 x']);
    await until(() => stage.events.includes(`unload ${whole[3]}`));
    expect(await stage.loads('n')).toBe('');
    expect(stage.served).toEqual(whole);
  });

  it('of an ensemble leaves its steps', async () => {
    writeAll();
    await stage.loads('top');
    stage.repository.unload('top', false);
    expect(stage.served).toEqual(whole.slice(0, 3));
    stage.repository.unload('top', true);
    expect(stage.served).toEqual(whole.slice(0, 3));
  });

  it('with its steps takes what is there only because of it, and theirs', async () => {
    writeAll();
    await stage.loads('top');
    stage.repository.unload('top', true);
    expect(stage.served).toEqual([]);
    expect(await stage.index()).toEqual(expect.arrayContaining(['other/']));
  });

  it('leaves steps that were asked for themselves, before or after, and those of others', async () => {
    writeAll();
    stage.ensembles({ f: ['n'] });
    await stage.loads('m');
    await stage.loads('top');
    await stage.loads('f');
    stage.repository.unload('top', true);
    expect(stage.served).toEqual(['f/1 (n/1 y)', 'm/1 x', 'n/1 y']);
    await stage.loads('n');
    stage.repository.unload('f', true);
    expect(stage.served).toEqual(['m/1 x', 'n/1 y']);
    stage.repository.unload('m', false);
    await stage.loads('e');
    stage.repository.unload('e', true);
    expect(stage.served).toEqual(['n/1 y']);
  });

  it('counts what --load-model names as asked for', async () => {
    await use({ loadModels: ['e', 'n'] });
    writeAll();
    await stage.repository.start();
    stage.repository.unload('e', true);
    expect(stage.served).toEqual(['n/1 y']);
  });

  it('ends where ensembles need each other', async () => {
    stage.ensembles({ a: ['b'], b: ['a'] });
    await stage.loads('a');
    stage.repository.unload('a', true);
    expect(await stage.index()).toEqual(['a/', 'b/']);
  });
});

describe('a look at the folders', () => {
  const lookUntil = async (...served: string[]) => {
    // What is gone counts when it has been so for a while.
    while (stage.served.join() !== served.join()) {
      await stage.repository.poll();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  beforeEach(async () => {
    await use({ mode: 'poll' });
  });

  it('brings an ensemble up when its steps appear, and down when they go', async () => {
    stage.ensembles({ e: ['m', 'n'] });
    await stage.repository.start();
    stage.models({ m: 'x' });
    await lookUntil('m/1 x');
    stage.models({ n: 'y' });
    await lookUntil('e/1 (m/1 x, n/1 y)', 'm/1 x', 'n/1 y');
    remove('m');
    await lookUntil('n/1 y');
    stage.models({ m: 'z' });
    await lookUntil('e/1 (m/1 z, n/1 y)', 'm/1 z', 'n/1 y');
  });

  it('makes an ensemble anew once when it changes together with its steps', async () => {
    writeAll();
    await stage.repository.start();
    stage.events.length = 0;
    stage.models({ m: 'longer' });
    stage.ensembles({ e: ['n', 'm'] });
    await lookUntil(
      'e/1 (n/1 y, m/1 longer)',
      'm/1 longer',
      'n/1 y',
      'other/1 o',
      'top/1 (e/1 (n/1 y, m/1 longer), m/1 longer)',
    );
    expect(loads().filter((event) => event.startsWith('load e'))).toEqual(['load e/1 (n/1 y, m/1 longer)']);
  });
});
