import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.js';
import { ModelManager } from '../../src/repository/manager.js';
import type { WantedModel } from '../../src/repository/model-record.js';
import { ServerError } from '../../src/types/errors.js';

/** A loaded version, by the name `model/version`. */
interface Thing {
  readonly name: string;
}

interface Pending {
  readonly resolve: (thing: Thing) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Loads and unloads when the test says so. */
class Hand {
  readonly loading = new Map<string, Pending>();
  readonly unloading = new Map<string, () => void>();
  failUnload = false;

  load = (model: string, version: number, signal: AbortSignal): Promise<Thing> =>
    new Promise((resolve, reject) => this.loading.set(`${model}/${version}`, { resolve, reject, signal }));

  unload = ({ name }: Thing): Promise<void> =>
    new Promise((resolve, reject) => {
      this.unloading.set(name, () => (this.failUnload ? reject(new Error('stuck')) : resolve()));
    });

  async loaded(...names: string[]): Promise<void> {
    for (const name of names) this.#take(name).resolve({ name });
    await settled();
  }

  async failed(name: string, error: unknown): Promise<void> {
    this.#take(name).reject(error);
    await settled();
  }

  async unloaded(name: string): Promise<void> {
    this.unloading.get(name)!();
    await settled();
  }

  #take(name: string): Pending {
    const pending = this.loading.get(name)!;
    this.loading.delete(name);
    return pending;
  }
}

/** All that can run without the test has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const model = (name: string, ...versions: number[]): WantedModel => ({
  name,
  problem: '',
  blocksReadiness: false,
  versions,
});
const broken = (name: string, problem: string, blocksReadiness: boolean): WantedModel => ({
  name,
  problem,
  blocksReadiness,
  versions: [],
});

let hand: Hand;
let manager: ModelManager<Thing>;
let lines: string[];

beforeEach(() => {
  hand = new Hand();
  lines = [];
  const log = {
    ...silentLog,
    info: (line: string) => lines.push(`I ${line}`),
    error: (line: string) => lines.push(`E ${line}`),
  };
  manager = new ModelManager<Thing>(hand, log);
});

/** Loads all versions of these models. */
async function ready(...models: WantedModel[]): Promise<void> {
  const started = manager.start(models, 100);
  await hand.loaded(...hand.loading.keys());
  await started;
}

const healthy = () => true;

describe('the start', () => {
  it('loads no more versions at a time than there are threads, and all of them', async () => {
    const started = manager.start([model('a', 1, 2), model('b', 1)], 2);
    expect([...hand.loading.keys()]).toEqual(['a/1', 'a/2']);
    await hand.loaded('a/2');
    expect([...hand.loading.keys()]).toEqual(['a/1', 'b/1']);
    await hand.loaded('a/1', 'b/1');
    await started;
    expect(manager.loaded().map(({ name }) => name)).toEqual(['a/1', 'a/2', 'b/1']);
    expect(manager.isComplete).toBe(true);
  });

  it('goes on where a model fails, and says so', async () => {
    const started = manager.start([model('a', 1), model('b', 1), broken('c', 'Invalid argument: no', false)], 4);
    await hand.failed('a/1', new ServerError('UNAVAILABLE', 'no file'));
    await hand.loaded('b/1');
    await started;
    expect(manager.isComplete).toBe(false);
    expect(lines).toEqual([
      "E failed to load 'c': Invalid argument: no",
      "E failed to load 'a' version 1: Unavailable: no file",
      "I successfully loaded 'b' version 1",
    ]);
  });

  it('has states of what waits, loads and is ready', async () => {
    const started = manager.start([model('a', 1, 2, 10)], 1);
    await hand.loaded('a/1');
    const states = () => manager.index(false).map(({ version, state }) => [version, state]);
    expect(states()).toEqual([
      ['1', 'READY'],
      ['2', 'LOADING'],
      ['10', 'UNKNOWN'],
    ]);
    await hand.loaded('a/2');
    await hand.loaded('a/10');
    await started;
  });
});

describe('a lookup', () => {
  const lookup = (name: string, version: string) => {
    try {
      return manager.find(name, version).name;
    } catch (error) {
      return `${(error as ServerError).code} ${(error as ServerError).message}`;
    }
  };

  it('finds the highest ready version, whatever becomes ready last', async () => {
    const started = manager.start([model('a', 2, 10)], 4);
    await hand.loaded('a/10');
    expect(lookup('a', '')).toBe('a/10');
    await hand.loaded('a/2');
    await started;
    expect(lookup('a', '')).toBe('a/10');
    expect(lookup('a', '2')).toBe('a/2');
    expect(manager.readyVersions('a')).toEqual([2, 10]);
  });

  it('finds a version with zeros in front', async () => {
    await ready(model('a', 1));
    expect(lookup('a', '01')).toBe('a/1');
  });

  it('says that a model is not found, without the version, where it is unknown or was never loaded', async () => {
    await ready(broken('bad', 'Invalid argument: no', false));
    for (const name of ['none', 'bad']) {
      for (const version of ['', '1']) {
        expect(lookup(name, version)).toBe(`NOT_FOUND Request for unknown model: '${name}' is not found`);
      }
    }
    expect(manager.readyVersions('none')).toEqual([]);
  });

  it('says that a version is not found, 0 included, exactly as it was asked for', async () => {
    await ready(model('a', 1));
    for (const version of ['0', '3', '9223372036854775807']) {
      expect(lookup('a', version)).toBe(`NOT_FOUND Request for unknown model: 'a' version ${version} is not found`);
    }
  });

  it('says that nothing is available of a model that failed, and that its version is not ready', async () => {
    const started = manager.start([model('a', 1)], 1);
    await hand.failed('a/1', new Error('no'));
    await started;
    expect(lookup('a', '')).toBe("NOT_FOUND Request for unknown model: 'a' has no available versions");
    expect(lookup('a', '1')).toBe("UNAVAILABLE Request for unknown model: 'a' version 1 is not at ready state");
  });

  it.each(['x', '1x', '1.0', '9223372036854775808', '-9223372036854775809', ' '])(
    'refuses %j as a version of any model',
    async (version) => {
      await ready(model('a', 1));
      const text = `INVALID_ARGUMENT failed to get model version from specified version string '${version}' (details: stol), version should be an integral value > 0`;
      expect(lookup('a', version)).toBe(text);
      expect(lookup('none', version)).toBe(text);
    },
  );

  it('refuses a negative version', () => {
    expect(lookup('a', '-1')).toBe(
      "INVALID_ARGUMENT invalid model version specified '-1' , version should be an integral value > 0",
    );
  });

  it('is not led astray by names that objects have', async () => {
    await ready(model('a', 1));
    expect(lookup('constructor', '')).toBe("NOT_FOUND Request for unknown model: 'constructor' is not found");
    expect(lookup('a', '0constructor')).toMatch(/^INVALID_ARGUMENT failed to get model version/);
  });
});

describe('the index', () => {
  it('is sorted by name, then by number of the version, with reasons as texts with their class', async () => {
    const started = manager.start(
      [
        model('b', 1),
        model('a', 2, 10),
        broken('twice', 'model appears in two or more repositories', true),
        broken('c', 'Invalid argument: cannot be parsed', false),
      ],
      4,
    );
    await hand.loaded('a/2', 'a/10');
    await hand.failed('b/1', new ServerError('INTERNAL', 'onnx runtime error 7: no'));
    await started;
    expect(manager.index(false)).toEqual([
      { name: 'a', version: '2', state: 'READY' },
      { name: 'a', version: '10', state: 'READY' },
      { name: 'b', version: '1', state: 'UNAVAILABLE', reason: 'Internal: onnx runtime error 7: no' },
      { name: 'c', state: 'UNAVAILABLE', reason: 'Invalid argument: cannot be parsed' },
      { name: 'twice', state: 'UNAVAILABLE', reason: 'model appears in two or more repositories' },
    ]);
    expect(manager.index(true).map(({ version }) => version)).toEqual(['2', '10']);
  });
});

describe('readiness', () => {
  it('is there for an empty repository and for a model whose configuration cannot be understood', async () => {
    expect(manager.ready(true, healthy)).toBe(true);
    await ready(model('a', 1), broken('c', 'Invalid argument: no', false));
    expect(manager.ready(true, healthy)).toBe(true);
  });

  it('is not there, if strict, while a model loads, after one failed, or where one has no version', async () => {
    const started = manager.start([model('a', 1)], 1);
    expect(manager.ready(true, healthy)).toBe(false);
    await hand.failed('a/1', new Error('no'));
    await started;
    expect(manager.ready(true, healthy)).toBe(false);
    expect(manager.ready(false, healthy)).toBe(true);
    const other = new ModelManager<Thing>(hand, silentLog);
    await other.start([broken('b', 'Invalid argument: at least one version', true)], 1);
    expect(other.ready(true, healthy)).toBe(false);
  });

  it('is not there, if strict, while an instance is not healthy', async () => {
    await ready(model('a', 1), model('b', 1));
    expect(manager.ready(true, ({ name }) => name !== 'b/1')).toBe(false);
    expect(manager.ready(false, () => false)).toBe(true);
  });

  it('is there for what was unloaded', async () => {
    await ready(model('a', 1));
    const gone = manager.unloadAll();
    expect(manager.ready(true, healthy)).toBe(false);
    await hand.unloaded('a/1');
    await gone;
    expect(manager.ready(true, healthy)).toBe(true);
  });
});

describe('unloading everything', () => {
  it('lets nothing be found any more at once, and resolves when all is taken down', async () => {
    await ready(model('a', 1), model('b', 1));
    let isGone = false;
    const gone = manager.unloadAll().then(() => {
      isGone = true;
    });
    expect(() => manager.find('a', '')).toThrow("'a' has no available versions");
    expect(() => manager.find('a', '1')).toThrow("'a' version 1 is not at ready state");
    expect(manager.loaded()).toEqual([]);
    expect(manager.index(false).map(({ state }) => state)).toEqual(['UNLOADING', 'UNLOADING']);
    await hand.unloaded('a/1');
    expect(isGone).toBe(false);
    await hand.unloaded('b/1');
    await gone;
    const unloaded = { version: '1', state: 'UNAVAILABLE', reason: 'unloaded' };
    expect(manager.index(false)).toEqual([
      { name: 'a', ...unloaded },
      { name: 'b', ...unloaded },
    ]);
  });

  it('aborts what loads, takes down what comes nevertheless, and begins nothing more', async () => {
    const started = manager.start([model('a', 1, 2, 3)], 2);
    const { signal } = hand.loading.get('a/1')!;
    const gone = manager.unloadAll();
    expect(signal.aborted).toBe(true);
    await hand.loaded('a/1');
    await hand.failed('a/2', new ServerError('CANCELLED', 'aborted'));
    expect(() => manager.find('a', '')).toThrow("'a' has no available versions");
    await hand.unloaded('a/1');
    await Promise.all([started, gone]);
    expect(hand.loading.size).toBe(0);
    expect(manager.index(false).map(({ state, reason }) => `${state} ${reason}`)).toEqual([
      'UNAVAILABLE unloaded',
      'UNAVAILABLE Cancelled: aborted',
      'UNAVAILABLE unloaded',
    ]);
  });

  it('logs what cannot be taken down and goes on', async () => {
    await ready(model('a', 1), model('b', 1));
    hand.failUnload = true;
    const gone = manager.unloadAll();
    await hand.unloaded('a/1');
    await hand.unloaded('b/1');
    await gone;
    expect(lines).toContain("E failed to unload 'a' version 1: Internal: stuck");
    expect(manager.index(false).every(({ reason }) => reason === 'unloaded')).toBe(true);
  });

  it('may be asked for twice, and resolves both times when all is taken down', async () => {
    await ready(model('a', 1));
    const first = manager.unloadAll();
    let isGone = false;
    const second = manager.unloadAll().then(() => {
      isGone = true;
    });
    await settled();
    expect(isGone).toBe(false);
    await hand.unloaded('a/1');
    await Promise.all([first, second]);
    expect(hand.unloading.size).toBe(1);
  });
});
