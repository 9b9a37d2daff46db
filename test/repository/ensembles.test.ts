import { beforeEach, describe, expect, it } from 'vitest';
import type { WantedModel } from '../../src/repository/wanted.js';
import { ServerError } from '../../src/types/errors.js';
import { broken, ensemble, type Hand, model, Stage, settled } from './hand.js';

let stage: Stage;
let hand: Hand;

beforeEach(() => {
  stage = new Stage();
  hand = stage.hand;
});

const m = (files = 'a', versions: readonly number[] = [1]) => model('m', versions, { files });
const n = (files = 'a') => model('n', [1], { files });
const e = ensemble('e', ['m', 'n']);

/** Brings all of these where they are wanted, as one; every load succeeds. */
async function applyAll(...models: readonly WantedModel[]): Promise<string[]> {
  const ends = stage.manager.applyAll(models);
  await settled();
  while (hand.loading.length > 0) await hand.loaded(hand.loadingNames[0]!);
  return (await ends).map((outcome) => ('problem' in outcome ? `${outcome.kind} ${outcome.problem}` : outcome.kind));
}

describe('loading an ensemble', () => {
  it('waits for its steps, whatever the order, and is made of them', async () => {
    const ends = stage.manager.applyAll([e, m(), n()]);
    await settled();
    expect(hand.loadingNames).toEqual(['m/1', 'n/1']);
    await hand.loaded('n/1');
    expect([hand.loadingNames, stage.index]).toEqual([['m/1'], ['m/1 LOADING', 'n/1 READY']]);
    await hand.loaded('m/1');
    expect([hand.loadingNames, stage.index]).toEqual([['e/1'], ['e/1 LOADING', 'm/1 READY', 'n/1 READY']]);
    await hand.loaded('e/1');
    expect(await ends).toEqual([{ kind: 'served' }, { kind: 'served' }, { kind: 'served' }]);
    expect(stage.find('e')).toBe('e/1:a(m/1:a n/1:a)');
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, true]);
  });

  it('takes the version of a step that it asks for, or the latest', async () => {
    await applyAll(ensemble('e', ['m/1', 'm', 'm/2']), m('a', [1, 2]));
    expect(stage.find('e')).toBe('e/1:a(m/1:a m/2:a m/2:a)');
  });

  it('does not wait for a place among the models that load', async () => {
    stage = new Stage({ threads: 1 });
    hand = stage.hand;
    await stage.apply(m(), n());
    await stage.begin(model('slow', [1]), e);
    expect(hand.loadingNames).toEqual(['slow/1', 'e/1']);
  });

  it('works upwards through ensembles of ensembles', async () => {
    await applyAll(ensemble('top', ['e', 'n']), e, m(), n());
    expect(stage.find('top')).toBe('top/1:a(e/1:a(m/1:a n/1:a) n/1:a)');
  });

  it('is nothing where nothing changed', async () => {
    await applyAll(e, m(), n());
    expect(await applyAll(ensemble('e', ['m', 'n']))).toEqual(['served']);
    expect(hand.leaving).toEqual([]);
  });
});

describe('an ensemble cannot be loaded', () => {
  const refused = async (...models: readonly WantedModel[]) => (await applyAll(...models))[0]!;

  it('where a step is not known, and leaves the server ready', async () => {
    const text = 'Invalid argument: ensemble e contains models that are not available or ambiguous: x, y';
    expect(await refused(ensemble('e', ['x', 'm', 'y', 'x']), m())).toBe(`unfit ${text}`);
    expect(stage.index).toEqual([`e/ UNAVAILABLE ${text}`, 'm/1 READY']);
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, false]);
    expect(stage.find('e')).toBe("NOT_FOUND Request for unknown model: 'e' is not found");
    expect(stage.lines).toContain(`E failed to load 'e': ${text}`);
  });

  it('where a step’s configuration is of no use', async () => {
    expect(await refused(e, broken('m', 'Invalid argument: bad', false), n())).toBe(
      "unfit Invalid argument: ensemble 'e' depends on 'm' which is not valid. Model 'm' failed with error: bad",
    );
  });

  it('where a step fails', async () => {
    const ends = stage.manager.applyAll([e, m('a', [1, 2]), n()]);
    await settled();
    await hand.failed('m/1', new ServerError('INTERNAL', 'no'));
    await hand.failed('m/2', new Error('nor'));
    await hand.loaded('n/1');
    expect((await ends)[0]).toEqual({
      kind: 'unfit',
      problem:
        "Invalid argument: ensemble 'e' depends on 'm' which has no loaded version. Model 'm' loading failed with error: " +
        'version 1 is at UNAVAILABLE state: Internal: no; version 2 is at UNAVAILABLE state: Internal: nor;',
    });
  });

  it('where the version of a step that it asks for is not there', async () => {
    const text = "Invalid argument: ensemble 'e' depends on 'm' whose required version 3 is not loaded.";
    expect(await refused(ensemble('e', ['m/3']), m('a', [1, 2]))).toBe(`unfit ${text}`);
  });

  it('where ensembles need each other', async () => {
    const ends = await applyAll(
      ensemble('a', ['b']),
      ensemble('b', ['m', 'c']),
      ensemble('c', ['a']),
      ensemble('top', ['a']),
      m(),
    );
    const circle = (text: string) => `unfit Invalid argument: circular dependency between ensembles: ${text}`;
    expect(ends.slice(0, 3)).toEqual([
      circle('a -> ... -> c -> a'),
      circle('b -> ... -> a -> b'),
      circle('c -> ... -> b -> c'),
    ]);
    expect(ends[3]).toBe(
      "unfit Invalid argument: ensemble 'top' depends on 'a' which is not valid. " +
        "Model 'a' failed with error: circular dependency between ensembles: a -> ... -> c -> a",
    );
    expect(ends[4]).toBe('served');
    expect(await refused(ensemble('self', ['self']))).toBe(circle('self -> ... -> self -> self'));
  });

  it('where it does not fit its steps, and says so in the index, with the server ready', async () => {
    await stage.apply(m(), n());
    const { ends } = await stage.begin(e);
    await hand.failed('e/1', new ServerError('INVALID_ARGUMENT', 'in ensemble e, no'));
    expect(await ends).toEqual([{ kind: 'unfit', problem: 'Invalid argument: in ensemble e, no' }]);
    expect(stage.index[0]).toBe('e/1 UNAVAILABLE Invalid argument: in ensemble e, no');
    expect(stage.isReady).toBe(true);
  });

  it('where two repositories have its step, unless one of them is its own', async () => {
    const models = [model('red::m', [1]), model('blue::m', [1])];
    expect(await refused(ensemble('e', ['m'], { namespace: 'green' }), ...models)).toMatch(
      /not available or ambiguous: m$/,
    );
    expect(await refused(ensemble('f', ['m'], { namespace: 'blue' }))).toBe('served');
    expect(stage.find('f')).toBe('f/1:a(blue::m/1:a)');
    stage.manager.forget('red::m');
    await hand.unloaded('red::m/1');
    while (hand.loading.length > 0) await hand.loaded(hand.loadingNames[0]!);
    expect(stage.find('e')).toBe('e/1:a(blue::m/1:a)');
  });
});

describe('a step is reloaded', () => {
  it('and the ensembles above it are made anew and switched after it, without a gap', async () => {
    await applyAll(ensemble('top', ['e']), e, m(), n());
    const { ends } = await stage.begin(m('b'));
    await hand.loaded('m/1');
    expect([stage.find('m'), stage.find('e')]).toEqual(['m/1:b', 'e/1:a(m/1:a n/1:a)']);
    await hand.loaded('e/1');
    expect([stage.find('e'), stage.find('top')]).toEqual(['e/1:a(m/1:b n/1:a)', 'top/1:a(e/1:a(m/1:a n/1:a))']);
    await hand.loaded('top/1');
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('top')).toBe('top/1:a(e/1:a(m/1:b n/1:a))');
    expect(hand.leaving).toEqual([
      'm/1:a -> m/1:b',
      'e/1:a(m/1:a n/1:a) -> e/1:a(m/1:b n/1:a)',
      'top/1:a(e/1:a(m/1:a n/1:a)) -> top/1:a(e/1:a(m/1:b n/1:a))',
    ]);
  });

  it('and an ensemble that needs it by way of others too is made anew once, when those have been', async () => {
    const top = ensemble('top', ['m', 'mid', 'e']);
    await applyAll(top, ensemble('mid', ['e']), ensemble('e', ['m']), m());
    await stage.begin(m('b'));
    await hand.loaded('m/1');
    expect(hand.loadingNames).toEqual(['e/1']);
    await hand.loaded('e/1');
    expect(hand.loadingNames).toEqual(['mid/1']);
    await hand.loaded('mid/1');
    expect([stage.find('top'), hand.loadingNames]).toEqual([
      'top/1:a(m/1:a mid/1:a(e/1:a(m/1:a)) e/1:a(m/1:a))',
      ['top/1'],
    ]);
    await hand.loaded('top/1');
    expect(stage.find('top')).toBe('top/1:a(m/1:b mid/1:a(e/1:a(m/1:b)) e/1:a(m/1:b))');
    expect(hand.loadingNames).toEqual([]);
  });

  it('and an ensemble follows to a new latest version, and to new settings', async () => {
    await applyAll(e, m(), n());
    await stage.apply(m('a', [1, 2]));
    expect(stage.find('e')).toBe('e/1:a(m/2:a n/1:a)');
    await hand.unloaded('e/1');
    await stage.apply(model('m', [1, 2], { settings: 't' }));
    expect(hand.leaving).toEqual(['e/1:a(m/2:a n/1:a) -> e/1:a(m/2:a n/1:a)']);
  });

  it('and fails: nothing happens to the ensemble', async () => {
    await applyAll(e, m(), n());
    const { ends } = await stage.begin(m('b'));
    await hand.failed('m/1', new Error('no'));
    expect((await ends)[0]!.kind).toBe('failed');
    expect([stage.find('e'), hand.loadingNames, hand.leaving]).toEqual(['e/1:a(m/1:a n/1:a)', [], []]);
  });

  it('and no longer fits: the ensemble is gone with that reason, those above it too, until it fits again', async () => {
    await applyAll(ensemble('top', ['e']), e, m(), n());
    const { ends } = await stage.begin(m('b'));
    await hand.loaded('m/1');
    await hand.failed('e/1', new ServerError('INVALID_ARGUMENT', 'shapes'));
    expect(await ends).toEqual([{ kind: 'served' }]);
    await hand.unloaded('e/1');
    await hand.unloaded('top/1');
    expect(stage.index).toEqual([
      'e/1 UNAVAILABLE Invalid argument: shapes',
      'm/1 READY',
      'n/1 READY',
      "top/1 UNAVAILABLE Invalid argument: ensemble 'top' depends on 'e' which is not valid. Model 'e' failed with error: shapes",
    ]);
    expect([stage.isReady, hand.loadingNames]).toEqual([true, []]);
    expect(stage.lines).toContain("E unloaded 'e': Invalid argument: shapes");
    await stage.apply(m('c'));
    expect(stage.find('top')).toBe('top/1:a(e/1:a(m/1:c n/1:a))');
  });

  it('while the ensemble is being made of what it was: that is taken down, and it is made again', async () => {
    await stage.apply(m(), n());
    const first = await stage.begin(e);
    await stage.begin(m('b'));
    await hand.loaded('m/1');
    expect(hand.loadingNames).toEqual(['e/1']);
    await hand.loaded('e/1');
    expect(hand.leaving).toEqual(['m/1:a -> m/1:b', 'e/1:a(m/1:a n/1:a)']);
    expect(stage.index[0]).toBe('e/1 LOADING');
    await hand.loaded('e/1');
    expect(await first.ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('e')).toBe('e/1:a(m/1:b n/1:a)');
  });

  it('together with the ensemble: the new one never meets the old step', async () => {
    await applyAll(e, m(), n());
    await applyAll(ensemble('e', ['m', 'n'], { files: 'b' }), m('b'));
    expect(stage.find('e')).toBe('e/1:b(m/1:b n/1:a)');
    expect(hand.leaving).toEqual(['m/1:a -> m/1:b', 'e/1:a(m/1:a n/1:a) -> e/1:b(m/1:b n/1:a)']);
  });
});

describe('a step is unloaded', () => {
  beforeEach(async () => {
    await applyAll(ensemble('top', ['e']), e, m(), n());
  });

  it('and the ensembles go with it at once, for the reason that it was unloaded', async () => {
    stage.manager.unload('m');
    expect(['m', 'e', 'top'].map((name) => stage.find(name))).toEqual(
      ['m', 'e', 'top'].map((name) => `NOT_FOUND Request for unknown model: '${name}' has no available versions`),
    );
    for (const name of ['top/1', 'e/1', 'm/1']) await hand.unloaded(name);
    expect(stage.index).toEqual([
      'e/1 UNAVAILABLE unloaded',
      'm/1 UNAVAILABLE unloaded',
      'n/1 READY',
      'top/1 UNAVAILABLE unloaded',
    ]);
    expect(stage.isReady).toBe(true);
    expect(stage.lines).toContain(
      "I unloaded 'e': Invalid argument: ensemble e contains models that are not available or ambiguous: m",
    );
  });

  it('and when it is loaded again, that is over when the ensembles are there again', async () => {
    stage.manager.unload('m');
    let isOver = false;
    const { ends } = await stage.begin(m('b'));
    void ends.then(() => {
      isOver = true;
    });
    await hand.loaded('m/1');
    await hand.loaded('e/1');
    expect([isOver, hand.loadingNames]).toEqual([false, ['top/1']]);
    await hand.loaded('top/1');
    expect(isOver).toBe(true);
    expect(stage.find('top')).toBe('top/1:a(e/1:a(m/1:b n/1:a))');
    for (const name of ['m/1', 'e/1', 'top/1']) await hand.unloaded(name);
    expect(stage.index).toEqual(['e/1 READY', 'm/1 READY', 'n/1 READY', 'top/1 READY']);
  });

  it('and an ensemble that was unloaded by itself meanwhile does not come back', async () => {
    stage.manager.unload('m');
    stage.manager.unload('e');
    await stage.apply(m());
    expect(stage.find('e')).toMatch(/^NOT_FOUND/);
    expect(stage.index.at(-1)).toMatch(/^top\/1 UNLOADING/);
  });

  it('while the ensemble is being reloaded: what comes of that is taken down', async () => {
    const { ends } = await stage.begin(ensemble('e', ['m', 'n'], { files: 'b' }));
    stage.manager.unload('m');
    await hand.unloaded('e/1');
    await hand.loaded('e/1');
    expect((await ends)[0]!.kind).toBe('unfit');
    expect(hand.leaving).toContain('e/1:b(m/1:a n/1:a)');
    await hand.unloaded('e/1');
    expect(stage.index[0]).toBe('e/1 UNAVAILABLE unloaded');
  });

  it('and loaded again while the ensemble is being reloaded: the ensemble is made of the new one', async () => {
    const { ends } = await stage.begin(ensemble('e', ['m', 'n'], { files: 'b' }));
    stage.manager.unload('m');
    await stage.begin(m('b'));
    for (const name of ['m/1', 'e/1', 'e/1', 'top/1']) await hand.loaded(name);
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('e')).toBe('e/1:b(m/1:b n/1:a)');
  });

  it('and so is a version that an ensemble asks for, by a new policy', async () => {
    await applyAll(m('a', [1, 2]), ensemble('one', ['m/1']));
    await stage.apply(m('a', [2]));
    expect(stage.find('one')).toBe("NOT_FOUND Request for unknown model: 'one' has no available versions");
    await stage.apply(m('a', [1, 2]));
    expect(stage.find('one')).toBe('one/1:a(m/1:a)');
  });
});

describe('an ensemble', () => {
  it('that comes before its steps comes up when they do', async () => {
    expect(await applyAll(e)).toEqual([expect.stringMatching(/^unfit /)]);
    await stage.apply(m());
    expect(stage.index[0]).toMatch(/not available or ambiguous: n$/);
    await stage.apply(n());
    expect(stage.find('e')).toBe('e/1:a(m/1:a n/1:a)');
    expect([stage.index[0], stage.manager.isComplete]).toEqual(['e/1 READY', true]);
  });

  it('whose new configuration is of no use goes on as it was, and follows its steps', async () => {
    await applyAll(e, m(), n());
    expect(await applyAll(broken('e', 'no', false))).toEqual(['refused no']);
    await stage.apply(m('b'));
    expect(stage.find('e')).toBe('e/1:a(m/1:b n/1:a)');
    expect(stage.index[0]).toBe('e/1 READY no');
  });

  it('whose new configuration its steps do not let serve is gone, and comes back as the new one', async () => {
    await applyAll(e, m());
    await stage.apply(n());
    expect(await applyAll(ensemble('e', ['m', 'x'], { files: 'b' }))).toEqual([expect.stringMatching(/ambiguous: x$/)]);
    expect(stage.find('e')).toMatch(/^NOT_FOUND/);
    await hand.unloaded('e/1');
    expect(stage.index[0]).toMatch(/^e\/1 UNAVAILABLE Invalid argument: .* ambiguous: x$/);
    await stage.apply(model('x', [1]));
    expect(stage.find('e')).toBe('e/1:b(m/1:a x/1:a)');
  });

  it('can become a model, and a model an ensemble', async () => {
    await applyAll(e, m(), n(), ensemble('top', ['e']));
    await stage.apply(model('e', [1], { files: 'b' }));
    expect(stage.find('top')).toBe('top/1:a(e/1:b)');
    await stage.apply(e);
    expect(stage.find('top')).toBe('top/1:a(e/1:a(m/1:a n/1:a))');
  });

  it('can become a model while a step of it is unloaded', async () => {
    await applyAll(e, m(), n());
    const { ends } = await stage.begin(model('e', [1], { files: 'b' }));
    stage.manager.unload('m');
    await hand.loaded('e/1');
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('e')).toBe('e/1:b');
  });

  it('that waits for its steps ends when it is unloaded, without them', async () => {
    const ends = stage.manager.applyAll([e, m(), n()]);
    await settled();
    stage.manager.unload('e');
    const again = await stage.begin(ensemble('e', ['n']));
    await hand.loaded('n/1');
    await hand.loaded('e/1');
    expect(await again.ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('e')).toBe('e/1:a(n/1:a)');
    await hand.loaded('m/1');
    expect((await ends)[0]).toEqual({ kind: 'outdated' });
  });

  it('keeps the folder that was made for it while it may come back', async () => {
    await applyAll(ensemble('e', ['m', 'n'], { temporary: '/t1' }), m(), n());
    stage.manager.unload('m');
    await hand.unloaded('e/1');
    expect(hand.discarded).toEqual([]);
    for (const files of ['b', 'c']) await stage.apply(m(files));
    expect(stage.find('e')).toBe('e/1:a(m/1:c n/1:a)');
    await hand.unloaded('e/1');
    expect(hand.discarded).toEqual([]);
    await applyAll(ensemble('e', ['m', 'x'], { temporary: '/t2' }));
    await hand.unloaded('e/1');
    expect(hand.discarded).toEqual(['/t1']);
    await applyAll(ensemble('e', ['m', 'y'], { temporary: '/t3' }));
    expect(hand.discarded).toEqual(['/t1', '/t2']);
    stage.manager.unload('e');
    await settled();
    expect(hand.discarded).toEqual(['/t1', '/t2', '/t3']);
  });

  it('is not made any more when the server stops, and all goes', async () => {
    await applyAll(e, m(), n());
    await stage.begin(m('b'));
    stage.manager.endLoads();
    await hand.loaded('m/1');
    expect(hand.loadingNames).toEqual([]);
    const gone = stage.manager.unloadAll();
    await settled();
    while (hand.unloading.length > 0) await hand.unloaded(hand.unloading[0]!.thing.name);
    await gone;
    expect(stage.manager.loaded()).toEqual([]);
  });

  it('goes without a word when the server stops, in whatever order its steps do', async () => {
    await applyAll(m(), n());
    await applyAll(e, ensemble('top', ['e', 'n']));
    const before = stage.lines.length;
    const gone = stage.manager.unloadAll();
    await settled();
    expect(stage.lines.slice(before).filter((line) => line.includes('not available'))).toEqual([]);
    while (hand.unloading.length > 0) await hand.unloaded(hand.unloading[0]!.thing.name);
    await gone;
    expect(stage.manager.loaded()).toEqual([]);
  });
});
