import { beforeEach, describe, expect, it } from 'vitest';
import { broken, type Hand, model, Stage, settled } from './hand.js';

let stage: Stage;
let hand: Hand;

beforeEach(() => {
  stage = new Stage();
  hand = stage.hand;
});

describe('a reload', () => {
  it('loads beside what serves, and replaces it when all has loaded', async () => {
    await stage.apply(model('a', [1, 2]));
    const { ends } = await stage.begin(model('a', [1, 2], { files: 'b' }));
    await hand.loaded('a/2');
    expect([stage.find('a'), stage.find('a', '1')]).toEqual(['a/2:a', 'a/1:a']);
    expect(hand.leaving).toEqual([]);
    expect(stage.index).toEqual(['a/1 READY', 'a/2 READY']);
    expect(stage.isReady).toBe(true);
    await hand.loaded('a/1');
    expect([stage.find('a'), stage.find('a', '1')]).toEqual(['a/2:b', 'a/1:b']);
    expect(hand.leaving).toEqual(['a/1:a -> a/1:b', 'a/2:a -> a/2:b']);
    expect(stage.index).toEqual(['a/1 READY', 'a/2 READY']);
    // It does not wait for what the old ones still have to answer.
    expect(await ends).toEqual([{ kind: 'served' }]);
  });

  it('does nothing where nothing differs', async () => {
    await stage.apply(model('a', [1, 2]));
    expect(await stage.apply(model('a', [1, 2]))).toEqual([{ kind: 'served' }]);
    expect([hand.asked, hand.leaving]).toEqual([[], []]);
    expect(stage.lines).toHaveLength(2);
  });

  it('loads the versions that differ and keeps the others', async () => {
    await stage.apply(model('a', [1, 2]));
    await stage.begin(model('a', [1, 2], { filesOf: { 1: 'b' } }));
    expect(hand.loadingNames).toEqual(['a/1']);
    await hand.loaded('a/1');
    expect([stage.find('a', '1'), stage.find('a', '2')]).toEqual(['a/1:b', 'a/2:a']);
    expect(hand.leaving).toEqual(['a/1:a -> a/1:b']);
  });

  it('keeps all that served where something fails, and throws away what loaded', async () => {
    await stage.apply(model('a', [1, 2]));
    const { ends } = await stage.begin(model('a', [1, 2, 3, 4], { files: 'b' }));
    await hand.loaded('a/2', 'a/3');
    await hand.failed('a/1', new Error('no'));
    await hand.failed('a/4', new Error('neither'));
    expect(hand.leaving).toEqual(['a/2:b', 'a/3:b']);
    expect([stage.find('a'), stage.find('a', '1')]).toEqual(['a/2:a', 'a/1:a']);
    await hand.unloaded('a/2');
    await hand.unloaded('a/3');
    expect(await ends).toMatchObject([{ kind: 'failed', failures: [{ version: 1 }, { version: 4 }] }]);
    const reason = 'version 1 failed to load: Internal: no; version 4 failed to load: Internal: neither';
    expect(stage.index).toEqual([
      `a/1 READY ${reason}`,
      `a/2 READY ${reason}`,
      'a/3 UNAVAILABLE unloaded',
      'a/4 UNAVAILABLE Internal: neither',
    ]);
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, false]);
    expect(stage.lines).toContain("E failed to load 'a' version 1: Internal: no; what was loaded before goes on");
  });

  it('that is refused changes nothing of what serves', async () => {
    await stage.apply(model('a', [1]));
    for (const blocksReadiness of [true, false]) {
      const outcome = await stage.apply(broken('a', 'Invalid argument: no', blocksReadiness));
      expect(outcome).toEqual([{ kind: 'refused', problem: 'Invalid argument: no' }]);
      expect(stage.find('a')).toBe('a/1:a');
      expect(stage.index).toEqual(['a/1 READY Invalid argument: no']);
      expect([stage.isReady, stage.manager.isComplete]).toEqual([true, false]);
    }
  });

  it('that succeeds makes up for one that failed', async () => {
    await stage.apply(model('a', [1]));
    await stage.begin(model('a', [1], { files: 'b' }));
    await hand.failed('a/1', new Error('no'));
    await stage.apply(model('a', [1]));
    expect(stage.index).toEqual(['a/1 READY']);
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, true]);
    await stage.apply(broken('a', 'Invalid argument: no', false));
    await stage.apply(model('a', [1], { files: 'c' }));
    expect([stage.find('a'), stage.index]).toEqual(['a/1:c', ['a/1 READY']]);
  });

  it('adds a version and drops another, which ends with the newest as its heir', async () => {
    await stage.apply(model('a', [1, 2, 5]));
    const { ends } = await stage.begin(model('a', [2, 7]));
    expect(hand.loadingNames).toEqual(['a/7']);
    expect(stage.find('a')).toBe('a/5:a');
    await hand.loaded('a/7');
    await ends;
    expect([stage.find('a'), stage.manager.readyVersions('a')]).toEqual(['a/7:a', [2, 7]]);
    expect(hand.leaving).toEqual(['a/1:a -> a/7:a', 'a/5:a -> a/7:a']);
    expect(stage.index).toEqual(['a/1 UNLOADING', 'a/2 READY', 'a/5 UNLOADING', 'a/7 READY']);
    await hand.unloaded('a/5');
    expect(stage.index[2]).toBe('a/5 UNAVAILABLE unloaded');
    expect(stage.isReady).toBe(true);
  });

  it('goes back to the lower version where the newest is dropped', async () => {
    await stage.apply(model('a', [1, 2]));
    await stage.apply(model('a', [1]));
    expect(stage.find('a')).toBe('a/1:a');
    expect(hand.leaving).toEqual(['a/2:a -> a/1:a']);
  });

  it('loads a version that is still being taken down, beside it', async () => {
    await stage.apply(model('a', [1, 2]));
    await stage.apply(model('a', [2]));
    await stage.apply(model('a', [1, 2]));
    expect(stage.index).toEqual(['a/1 READY', 'a/2 READY']);
    await hand.unloaded('a/1');
    expect([stage.index[0], stage.find('a', '1')]).toEqual(['a/1 READY', 'a/1:a']);
  });

  it('lets go of a version that failed and is wanted no more', async () => {
    await stage.begin(model('a', [1, 2]));
    await hand.loaded('a/1');
    await hand.failed('a/2', new Error('no'));
    expect(stage.isReady).toBe(false);
    await stage.apply(model('a', [1]));
    expect(stage.index).toEqual(['a/1 READY', 'a/2 UNAVAILABLE unloaded']);
    expect(stage.isReady).toBe(true);
  });
});

describe('settings that change', () => {
  it('need no load where they can be changed in place', async () => {
    await stage.apply(model('a', [1, 2]));
    expect(await stage.apply(model('a', [1, 2], { settings: 't' }))).toEqual([{ kind: 'served' }]);
    expect(hand.asked).toEqual(['a/1 t', 'a/2 t']);
    expect([stage.manager.find('a', '').settings, hand.leaving]).toEqual(['t', []]);
    expect(stage.lines).toContain("I changed the settings of 'a' version 2 in place");
    await stage.apply(model('a', [1, 2], { settings: 't' }));
    expect(hand.asked).toHaveLength(2);
  });

  it.each([
    ['cannot be', async () => false],
    [
      'fail to be',
      async () => {
        throw new Error('no');
      },
    ],
  ])('are loaded anew where they %s changed in place', async (_, adjusts) => {
    await stage.apply(model('a', [1]));
    hand.adjusts = adjusts;
    const { ends } = await stage.begin(model('a', [1], { settings: 't' }));
    expect([stage.manager.find('a', '').settings, hand.loadingNames]).toEqual(['s', ['a/1']]);
    await hand.loaded('a/1');
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect(stage.manager.find('a', '').settings).toBe('t');
    expect(hand.leaving).toEqual(['a/1:a -> a/1:a']);
  });

  it('are not asked for where the files differ too', async () => {
    await stage.apply(model('a', [1]));
    await stage.apply(model('a', [1], { files: 'b', settings: 't' }));
    expect([hand.asked, stage.find('a')]).toEqual([[], 'a/1:b']);
  });

  it('end where the model is unloaded meanwhile, whatever comes of them', async () => {
    for (const answer of [true, false]) {
      stage = new Stage();
      hand = stage.hand;
      await stage.apply(model('a', [1, 2]));
      let resolve = (_: boolean) => {};
      hand.adjusts = () =>
        new Promise((done) => {
          resolve = done;
        });
      const { ends } = await stage.begin(model('a', [1, 2], { settings: 't' }));
      stage.manager.unload('a');
      resolve(answer);
      await settled();
      expect(hand.asked).toEqual(['a/1 t']);
      expect(await ends).toEqual([{ kind: 'outdated' }]);
      expect(hand.loading).toEqual([]);
      expect(stage.index).toEqual(['a/1 UNLOADING', 'a/2 UNLOADING']);
      expect([stage.isReady, stage.manager.isComplete]).toEqual([true, true]);
    }
  });
});

describe('temporary folders', () => {
  it('stay while something of them serves, and go when it is taken down', async () => {
    await stage.apply(model('a', [1, 2], { files: 't', temporary: '/t1' }));
    await stage.apply(model('a', [1, 3]));
    await hand.unloaded('a/1');
    expect(hand.discarded).toEqual([]);
    await hand.unloaded('a/2');
    expect(hand.discarded).toEqual(['/t1']);
  });

  it('go at once where nothing of them came to serve', async () => {
    await stage.begin(model('a', [1], { temporary: '/t1' }));
    await hand.failed('a/1', new Error('no'));
    expect(hand.discarded).toEqual(['/t1']);
    await stage.apply(broken('a', 'Invalid argument: no', false, '/t2'));
    expect(hand.discarded).toEqual(['/t1', '/t2']);
    await stage.apply(model('a', [1]));
    await stage.begin(model('a', [1, 2], { files: 't', temporary: '/t3' }));
    await hand.failed('a/1', new Error('no'));
    await hand.loaded('a/2');
    expect(hand.discarded).toEqual(['/t1', '/t2']);
    await hand.unloaded('a/2');
    expect(hand.discarded).toEqual(['/t1', '/t2', '/t3']);
    await stage.apply(broken('a', 'Invalid argument: no', false, '/t4'));
    stage.manager.unload('a');
    await hand.unloaded('a/1');
    expect(hand.discarded).toEqual(['/t1', '/t2', '/t3', '/t4']);
  });

  it('stay where one of their versions serves and another failed', async () => {
    await stage.begin(model('a', [1, 2], { temporary: '/t1' }));
    await hand.failed('a/1', new Error('no'));
    await hand.loaded('a/2');
    expect(hand.discarded).toEqual([]);
    stage.manager.unload('a');
    await settled();
    expect(hand.discarded).toEqual([]);
    await hand.unloaded('a/2');
    expect(hand.discarded).toEqual(['/t1']);
  });

  it('go when the model is unloaded: after what served of them, after what still loaded', async () => {
    await stage.apply(model('a', [1], { temporary: '/t1' }));
    const { ends } = await stage.begin(model('a', [1], { files: 'b', temporary: '/t2' }));
    const waiting = stage.manager.apply(model('a', [1], { files: 'c', temporary: '/t3' }));
    stage.manager.unload('a');
    await settled();
    expect(hand.discarded).toEqual([]);
    await hand.unloaded('a/1');
    expect(hand.discarded).toEqual(['/t1']);
    await hand.loaded('a/1');
    expect(hand.discarded).toEqual(['/t1']);
    await hand.unloaded('a/1');
    expect([...(await ends), await waiting]).toEqual([{ kind: 'outdated' }, { kind: 'outdated' }]);
    expect(hand.discarded).toEqual(['/t1', '/t2', '/t3']);
  });

  it('go with everything, which waits for it', async () => {
    let discard = () => {};
    hand.discard = ({ directory }) =>
      new Promise((resolve) => {
        discard = () => resolve(void hand.discarded.push(directory));
      });
    await stage.apply(model('a', [1], { temporary: '/t1' }));
    let isGone = false;
    const gone = stage.manager.unloadAll().then(() => {
      isGone = true;
    });
    await hand.unloaded('a/1');
    expect(isGone).toBe(false);
    discard();
    await gone;
    expect(hand.discarded).toEqual(['/t1']);
  });
});
