import { beforeEach, describe, expect, it } from 'vitest';
import { type Hand, model, Stage, settled } from './hand.js';

let stage: Stage;
let hand: Hand;

beforeEach(() => {
  stage = new Stage();
  hand = stage.hand;
});

describe('unloading a model', () => {
  it('lets nobody find it from that moment on, and leaves the others alone', async () => {
    await stage.apply(model('a', [1, 2]), model('b', [1]));
    stage.manager.unload('a');
    expect(stage.find('a')).toBe("NOT_FOUND Request for unknown model: 'a' has no available versions");
    expect(stage.find('a', '1')).toBe("UNAVAILABLE Request for unknown model: 'a' version 1 is not at ready state");
    expect(stage.find('b')).toBe('b/1:a');
    expect(stage.index).toEqual(['a/1 UNLOADING', 'a/2 UNLOADING', 'b/1 READY']);
    expect(hand.leaving).toEqual(['a/1:a', 'a/2:a']);
    await hand.unloaded('a/2');
    expect(stage.index).toEqual(['a/1 UNLOADING', 'a/2 UNAVAILABLE unloaded', 'b/1 READY']);
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, true]);
  });

  it('is fine for what is unknown, and for what is unloaded', async () => {
    stage.manager.unload('none');
    stage.manager.forget('none');
    await stage.apply(model('a', [1]));
    stage.manager.unload('a');
    stage.manager.unload('a');
    await hand.unloaded('a/1');
    stage.manager.unload('a');
    await settled();
    expect(hand.leaving).toEqual([]);
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded']);
  });

  it('outdates a load, and takes down what comes of it nevertheless', async () => {
    const { ends } = await stage.begin(model('a', [1, 2]));
    await hand.loaded('a/1');
    const { signal } = hand.loading[0]!;
    stage.manager.unload('a');
    expect(signal.aborted).toBe(true);
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded', 'a/2 UNAVAILABLE unloaded']);
    await hand.loaded('a/2');
    expect(hand.leaving).toEqual(['a/1:a', 'a/2:a']);
    await hand.unloaded('a/1');
    await hand.unloaded('a/2');
    expect(await ends).toEqual([{ kind: 'outdated' }]);
    expect(stage.index).toEqual(['a/1 UNAVAILABLE unloaded', 'a/2 UNAVAILABLE unloaded']);
    expect([stage.isReady, stage.manager.isComplete]).toEqual([true, true]);
    expect(stage.find('a')).toMatch(/^NOT_FOUND/);
  });

  it('outdates what waits behind a load too, which begins nothing', async () => {
    const { ends } = await stage.begin(model('a', [1]), model('a', [1, 2]));
    stage.manager.unload('a');
    await hand.failed('a/1', new Error('aborted'));
    expect(await ends).toEqual([{ kind: 'outdated' }, { kind: 'outdated' }]);
    expect(hand.loading).toEqual([]);
  });

  it('does not outdate a load that comes after it, which waits for the outdated one', async () => {
    const first = await stage.begin(model('a', [1]));
    stage.manager.unload('a');
    const second = await stage.begin(model('a', [1], { files: 'b' }));
    expect(hand.loadingNames).toEqual(['a/1']);
    await hand.loaded('a/1');
    expect(hand.loading).toEqual([]);
    await hand.unloaded('a/1');
    expect(hand.loading.map(({ signal }) => signal.aborted)).toEqual([false]);
    await hand.loaded('a/1');
    expect(await first.ends).toEqual([{ kind: 'outdated' }]);
    expect(await second.ends).toEqual([{ kind: 'served' }]);
    expect(stage.find('a')).toBe('a/1:b');
  });

  it('does not keep the model from being loaded while it still answers', async () => {
    await stage.apply(model('a', [1]));
    stage.manager.unload('a');
    await stage.apply(model('a', [1], { files: 'b' }));
    expect([stage.find('a'), stage.index]).toEqual(['a/1:b', ['a/1 READY']]);
    await hand.unloaded('a/1');
    expect([stage.find('a'), stage.index]).toEqual(['a/1:b', ['a/1 READY']]);
  });
});

describe('forgetting a model', () => {
  it('unloads it, and the index shows it until it is taken down', async () => {
    await stage.apply(model('a', [1]), model('b', [1]));
    stage.manager.forget('a');
    expect(stage.find('a')).toBe("NOT_FOUND Request for unknown model: 'a' has no available versions");
    await settled();
    expect(stage.index).toEqual(['a/1 UNLOADING', 'b/1 READY']);
    await hand.unloaded('a/1');
    expect(stage.index).toEqual(['b/1 READY']);
    expect(stage.find('a')).toBe("NOT_FOUND Request for unknown model: 'a' is not found");
  });

  it('forgets what was only loading', async () => {
    const { ends } = await stage.begin(model('a', [1]));
    stage.manager.forget('a');
    await hand.loaded('a/1');
    await hand.unloaded('a/1');
    expect(await ends).toEqual([{ kind: 'outdated' }]);
    expect(stage.index).toEqual([]);
  });

  it('is called off by a load that comes before the end', async () => {
    await stage.apply(model('a', [1]));
    stage.manager.forget('a');
    const { ends } = await stage.begin(model('a', [1], { files: 'b' }));
    await hand.unloaded('a/1');
    await hand.loaded('a/1');
    expect(await ends).toEqual([{ kind: 'served' }]);
    expect([stage.find('a'), stage.index]).toEqual(['a/1:b', ['a/1 READY']]);
  });
});
