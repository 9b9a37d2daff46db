import { beforeEach, describe, expect, it } from 'vitest';
import { ServerError } from '../../src/types/errors.js';
import { broken, type Hand, model, Stage, settled } from './hand.js';

const NO_MODEL = "NOT_FOUND Request for unknown model: 'a' has no available versions";
const NOT_READY = "UNAVAILABLE Request for unknown model: 'a' version 1 is not at ready state";

let stage: Stage;
let hand: Hand;

beforeEach(() => use(new Stage()));

function use(other: Stage): void {
  stage = other;
  hand = stage.hand;
}

describe('the first load', () => {
  it('loads no more versions at a time than there are threads, of all models together', async () => {
    use(new Stage({ threads: 2 }));
    const { ends } = await stage.begin(model('a', [1, 2]), model('b', [1]));
    expect(hand.loadingNames).toEqual(['a/1', 'a/2']);
    await hand.loaded('a/2');
    expect(hand.loadingNames).toEqual(['a/1', 'b/1']);
    await hand.loaded('a/1', 'b/1');
    expect(await ends).toEqual([{ kind: 'served' }, { kind: 'served' }]);
    expect(stage.manager.loaded().map(({ name }) => name)).toEqual(['a/1', 'a/2', 'b/1']);
    expect(stage.manager.isComplete).toBe(true);
  });

  it('goes on where a model fails, and says so', async () => {
    const { ends } = await stage.begin(model('a', [1]), model('b', [1]), broken('c', 'Invalid argument: no', false));
    await hand.failed('a/1', new ServerError('UNAVAILABLE', 'no file'));
    await hand.loaded('b/1');
    expect(await ends).toEqual([
      { kind: 'failed', failures: [{ version: 1, reason: 'Unavailable: no file' }] },
      { kind: 'served' },
      { kind: 'refused', problem: 'Invalid argument: no' },
    ]);
    expect(stage.manager.isComplete).toBe(false);
    expect(stage.lines).toEqual([
      "E failed to load 'c': Invalid argument: no",
      "E failed to load 'a' version 1: Unavailable: no file",
      "I successfully loaded 'b' version 1",
    ]);
  });

  it('serves nothing until all versions have ended, then all that are good', async () => {
    const { ends } = await stage.begin(model('a', [1, 2, 10]));
    await hand.loaded('a/10', 'a/2');
    expect(stage.find('a')).toBe(NO_MODEL);
    expect(stage.manager.readyVersions('a')).toEqual([]);
    await hand.failed('a/1', new ServerError('INTERNAL', 'onnx runtime error 7: no'));
    expect(await ends).toMatchObject([{ kind: 'failed', failures: [{ version: 1 }] }]);
    expect(stage.index).toEqual(['a/1 UNAVAILABLE Internal: onnx runtime error 7: no', 'a/2 READY', 'a/10 READY']);
    expect([stage.find('a'), stage.find('a', '2'), stage.find('a', '1')]).toEqual(['a/10:a', 'a/2:a', NOT_READY]);
    expect(stage.isReady).toBe(false);
    expect(stage.manager.isComplete).toBe(false);
  });

  it('has states of what waits and what loads', async () => {
    use(new Stage({ threads: 2 }));
    await stage.begin(model('a', [1, 2, 10]));
    await hand.loaded('a/1');
    await hand.loaded('a/2');
    expect(stage.index).toEqual(['a/1 LOADING', 'a/2 LOADING', 'a/10 LOADING']);
    use(new Stage({ threads: 1 }));
    await stage.begin(model('a', [1, 2]));
    expect(stage.index).toEqual(['a/1 LOADING', 'a/2 UNKNOWN']);
  });

  it('tries again as often as it may, then gives the last reason', async () => {
    use(new Stage({ retries: 2, threads: 1 }));
    const { ends } = await stage.begin(model('a', [1]));
    await hand.failed('a/1', new Error('one'));
    await hand.failed('a/1', new Error('two'));
    expect(stage.index).toEqual(['a/1 LOADING']);
    await hand.failed('a/1', new Error('three'));
    expect(hand.loading).toEqual([]);
    expect(await ends).toEqual([{ kind: 'failed', failures: [{ version: 1, reason: 'Internal: three' }] }]);
    expect(stage.lines).toEqual([
      "W 'a' version 1 is loaded again after: Internal: one",
      "W 'a' version 1 is loaded again after: Internal: two",
      "E failed to load 'a' version 1: Internal: three",
    ]);
  });

  it('serves where a later try is good', async () => {
    use(new Stage({ retries: 1 }));
    const { ends } = await stage.begin(model('a', [1]));
    await hand.failed('a/1', new Error('one'));
    await hand.loaded('a/1');
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect(stage.isReady).toBe(true);
  });

  it('tries nothing again that nobody wants any more', async () => {
    use(new Stage({ retries: 9 }));
    const { ends } = await stage.begin(model('a', [1]));
    stage.manager.unload('a');
    await hand.failed('a/1', new Error('one'));
    expect(hand.loading).toEqual([]);
    expect(await ends).toEqual([{ kind: 'outdated' }]);
  });
});

describe('a lookup', () => {
  it('finds the highest ready version, by number', async () => {
    await stage.apply(model('a', [2, 10]));
    expect([stage.find('a'), stage.find('a', '10'), stage.find('a', '2')]).toEqual(['a/10:a', 'a/10:a', 'a/2:a']);
    expect(stage.manager.readyVersions('a')).toEqual([2, 10]);
  });

  it('finds a version with zeros in front', async () => {
    await stage.apply(model('a', [1]));
    expect(stage.find('a', '01')).toBe('a/1:a');
  });

  it('says that a model is not found, without the version, where it is unknown or was never loaded', async () => {
    await stage.apply(broken('bad', 'Invalid argument: no', false));
    for (const name of ['none', 'bad']) {
      for (const version of ['', '1']) {
        expect(stage.find(name, version)).toBe(`NOT_FOUND Request for unknown model: '${name}' is not found`);
      }
    }
    expect(stage.manager.readyVersions('none')).toEqual([]);
  });

  it('says that a version is not found, 0 included, exactly as it was asked for', async () => {
    await stage.apply(model('a', [1]));
    for (const version of ['0', '3', '9223372036854775807']) {
      expect(stage.find('a', version)).toBe(`NOT_FOUND Request for unknown model: 'a' version ${version} is not found`);
    }
  });

  it('says that nothing is available of a model that failed, and that its version is not ready', async () => {
    await stage.begin(model('a', [1]));
    await hand.failed('a/1', new Error('no'));
    expect([stage.find('a'), stage.find('a', '1')]).toEqual([NO_MODEL, NOT_READY]);
  });

  it.each(['x', '1x', '1.0', '9223372036854775808', '-9223372036854775809', ' '])(
    'refuses %j as a version of any model',
    async (version) => {
      await stage.apply(model('a', [1]));
      const text = `INVALID_ARGUMENT failed to get model version from specified version string '${version}' (details: stol), version should be an integral value > 0`;
      expect([stage.find('a', version), stage.find('none', version)]).toEqual([text, text]);
    },
  );

  it('refuses a negative version', () => {
    expect(stage.find('a', '-1')).toBe(
      "INVALID_ARGUMENT invalid model version specified '-1' , version should be an integral value > 0",
    );
  });

  it('is not led astray by names that objects have', async () => {
    await stage.apply(model('a', [1]));
    expect(stage.find('constructor')).toBe("NOT_FOUND Request for unknown model: 'constructor' is not found");
    expect(stage.find('a', '0constructor')).toMatch(/^INVALID_ARGUMENT failed to get model version/);
  });

  it('names the models of the repositories where the name alone is in several', async () => {
    await stage.apply(model('x::a', [1]), model('y::a', [1]), model('y::ba', [1]));
    expect(stage.find('a')).toBe(
      "INVALID_ARGUMENT There are 2 identifiers of model 'a' in global map, model namespace must be provided to resolve ambiguity. Ask for 'x::a' or 'y::a'.",
    );
    expect(stage.find('y::a')).toBe('y::a/1:a');
    expect(stage.find('a::a')).toBe("NOT_FOUND Request for unknown model: 'a::a' is not found");
  });
});

describe('the index', () => {
  it('is sorted by name, then by number of the version, with reasons as texts with their class', async () => {
    await stage.begin(
      model('b', [1]),
      model('a', [2, 10]),
      broken('twice', 'model appears in two or more repositories', true),
      broken('c', 'Invalid argument: cannot be parsed', false),
    );
    await hand.loaded('a/2', 'a/10');
    await hand.failed('b/1', new ServerError('INTERNAL', 'onnx runtime error 7: no'));
    expect(stage.manager.index()).toEqual([
      { name: 'a', version: '2', state: 'READY' },
      { name: 'a', version: '10', state: 'READY' },
      { name: 'b', version: '1', state: 'UNAVAILABLE', reason: 'Internal: onnx runtime error 7: no' },
      { name: 'c', state: 'UNAVAILABLE', reason: 'Invalid argument: cannot be parsed' },
      { name: 'twice', state: 'UNAVAILABLE', reason: 'model appears in two or more repositories' },
    ]);
  });
});

describe('readiness', () => {
  it('is there for an empty repository and for a model whose configuration cannot be understood', async () => {
    expect(stage.isReady).toBe(true);
    await stage.apply(model('a', [1]), broken('c', 'Invalid argument: no', false));
    expect(stage.isReady).toBe(true);
  });

  it('is not there, if strict, while a model loads, after one failed, or where one has no version', async () => {
    await stage.begin(model('a', [1]));
    expect(stage.isReady).toBe(false);
    await hand.failed('a/1', new Error('no'));
    expect(stage.isReady).toBe(false);
    expect(stage.manager.ready(false, () => true)).toBe(true);
    use(new Stage());
    await stage.apply(broken('b', 'Invalid argument: at least one version', true));
    expect(stage.isReady).toBe(false);
  });

  it('is not there, if strict, while an instance is not healthy', async () => {
    await stage.apply(model('a', [1]), model('b', [1]));
    expect(stage.manager.ready(true, ({ name }) => name !== 'b/1')).toBe(false);
    expect(stage.manager.ready(false, () => false)).toBe(true);
  });

  it('is there again when what failed is unloaded, or loaded', async () => {
    await stage.begin(model('a', [1]), model('b', [1]));
    await hand.failed('a/1', new Error('no'));
    await hand.failed('b/1', new Error('no'));
    stage.manager.unload('a');
    expect(stage.isReady).toBe(false);
    await stage.apply(model('b', [1]));
    expect(stage.isReady).toBe(true);
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded', 'b/1 READY']);
  });
});

describe('unloading everything', () => {
  it('lets nothing be found any more at once, and resolves when all is taken down', async () => {
    await stage.apply(model('a', [1]), model('b', [1]));
    let isGone = false;
    const gone = stage.manager.unloadAll().then(() => {
      isGone = true;
    });
    expect([stage.find('a'), stage.find('a', '1')]).toEqual([NO_MODEL, NOT_READY]);
    expect(stage.manager.loaded()).toEqual([]);
    expect(stage.index).toEqual(['a/1 UNLOADING', 'b/1 UNLOADING']);
    expect(stage.isReady).toBe(true);
    await hand.unloaded('a/1');
    expect(isGone).toBe(false);
    await hand.unloaded('b/1');
    await gone;
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded', 'b/1 UNAVAILABLE unloaded']);
  });

  it('aborts what loads, takes down what comes nevertheless, and begins nothing more', async () => {
    use(new Stage({ threads: 2 }));
    const { ends } = await stage.begin(model('a', [1, 2, 3]));
    const { signal } = hand.loading[0]!;
    let isGone = false;
    const gone = stage.manager.unloadAll().then(() => {
      isGone = true;
    });
    expect(signal.aborted).toBe(true);
    await hand.loaded('a/1');
    await hand.failed('a/2', new ServerError('CANCELLED', 'aborted'));
    expect(stage.find('a')).toBe(NO_MODEL);
    expect(isGone).toBe(false);
    await hand.unloaded('a/1');
    expect(await ends).toEqual([{ kind: 'outdated' }]);
    await gone;
    expect(hand.loading).toEqual([]);
    expect(stage.index).toEqual([1, 2, 3].map((version) => `a/${version} UNAVAILABLE unloaded`));
  });

  it('logs what cannot be taken down and goes on', async () => {
    await stage.apply(model('a', [1]), model('b', [1]));
    const gone = stage.manager.unloadAll();
    await hand.unloaded('a/1', new Error('stuck'));
    await hand.unloaded('b/1', new Error('stuck'));
    await gone;
    expect(stage.lines).toContain("E failed to unload 'a' version 1: Internal: stuck");
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded', 'b/1 UNAVAILABLE unloaded']);
  });

  it('may be asked for twice, and resolves both times when all is taken down', async () => {
    await stage.apply(model('a', [1]));
    const first = stage.manager.unloadAll();
    let isGone = false;
    const second = stage.manager.unloadAll().then(() => {
      isGone = true;
    });
    await settled();
    expect(isGone).toBe(false);
    expect(hand.leaving).toEqual(['a/1:a']);
    await hand.unloaded('a/1');
    await Promise.all([first, second]);
  });

  it('loads nothing afterwards', async () => {
    await stage.manager.unloadAll();
    expect(await stage.apply(model('a', [1]))).toEqual([{ kind: 'outdated' }]);
    expect(stage.find('a')).toMatch(/^NOT_FOUND/);
  });
});
