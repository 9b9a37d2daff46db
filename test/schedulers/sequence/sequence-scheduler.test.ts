import { describe, expect, test } from 'vitest';
import { ServerError } from '../../../src/types/errors.js';
import { Bench, direct, oldest } from './set-up.js';

describe('admission', () => {
  test('one row, an id, and START on the first request, in this order', () => {
    const bench = new Bench();
    expect(() => bench.send(0, '', { rows: 2 })).toThrow(
      "inference request to model 'm' must specify batch-size 1 due to requirements of sequence batcher",
    );
    const noId = "inference request to model 'm' must specify a non-zero or non-empty correlation ID";
    expect(() => bench.send(0)).toThrow(noId);
    expect(() => bench.send('', 's')).toThrow(noId);
    const noStart = (id: string) =>
      `inference request for sequence ${id} to model 'm' must specify the START flag on the first request of the sequence`;
    expect(() => bench.send(5)).toThrow(noStart('5'));
    expect(() => bench.send('five', 'e')).toThrow(noStart('five'));
    expect(() => bench.send(2n ** 64n - 1n)).toThrow(noStart('18446744073709551615'));
  });

  test('a number and a text are different ids, and so are neighbours beyond 2^53', () => {
    const bench = new Bench();
    bench.send(7, 's');
    expect(() => bench.send('7')).toThrow('START');
    bench.send(2n ** 63n, 's');
    expect(() => bench.send(2n ** 63n + 1n)).toThrow('START');
    bench.send(2n ** 63n);
  });

  test('while the server stops running sequences go on, and none begins', () => {
    const bench = new Bench();
    bench.send(1, 's');
    bench.scheduler.stop();
    bench.send(1);
    expect(() => bench.send(2, 's')).toThrow('Server is stopping, scheduler for model has stopped');
    expect(() => bench.send(1, 's')).toThrow('Server is stopping');
    bench.send(1, 'e');
  });

  test('START on a live id goes on in the same slot', () => {
    const bench = new Bench();
    for (let nth = 0; nth < 3; nth++) bench.send(1, 's');
    expect(bench.live()).toBe('1:i00');
    // Once for each sequence.
    expect(bench.warnings).toEqual([
      "sequence 1 of model 'm' got START although it is live: it goes on in its slot, with a new state",
    ]);
  });

  test('END frees the id at once: a START behind it is another sequence', () => {
    const bench = new Bench();
    bench.send(1, 's');
    bench.send(1, 'e');
    expect(() => bench.send(1)).toThrow('; sequence 1 is ending (END flag)');
    bench.send(1, 's');
    expect(bench.live()).toBe('1:i00 1:i01');
  });

  test('START and END in one request', () => {
    const bench = new Bench();
    const only = bench.send(1, 'se');
    bench.finish();
    expect([only.ended, bench.live()]).toEqual(['completed', '']);
  });

  test('the lowest slot of all instances is taken', () => {
    const bench = new Bench({ slots: 2 }, 2);
    for (const id of [1, 2, 3, 4, 5]) bench.send(id, 's');
    expect(bench.live()).toBe('1:i00 3:i01 2:i10 4:i11 5:b0');
    bench.finish();
    bench.send(2, 'e');
    bench.finish();
    expect(bench.live()).toBe('1:i00 3:i01 5:i10 4:i11');
  });
});

describe('the backlog', () => {
  test('gives the slot that becomes free to the first, with all its requests', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(1, 's');
    const waiting = [bench.send(2, 's'), bench.send(2), bench.send(3, 's')];
    bench.send(1, 'e');
    for (let i = 0; i < 4; i++) bench.finish();
    expect(waiting.map(({ ended }) => ended)).toEqual(['completed', 'completed', '']);
    expect(bench.live()).toBe('2:i00 3:b0');
  });

  test('is bounded', () => {
    const bench = new Bench({ slots: 1, maxBacklog: 1 });
    bench.send(1, 's');
    bench.send(2, 's');
    expect(() => bench.send(3, 's')).toThrow(
      "all sequence slots of model 'm' are taken and 1 sequences wait for one; send fewer sequences at once or raise --sequence-max-backlog",
    );
    // Those that are in it may go on.
    bench.send(2);
  });

  test('the smallest time-out of its requests is the time by which a sequence must have a slot', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(1, 's');
    const late = [bench.send(2, 's', { timeoutUs: 5000 }), bench.send(2, '', { timeoutUs: 2000 })];
    const patient = bench.send(3, 's');
    bench.clock.advance(1999);
    expect(late[0]!.ended).toBe('');
    bench.clock.advance(1);
    const expired = 'REJECTED UNAVAILABLE timeout of the corresponding sequence has been expired';
    expect(late.map(({ ended }) => ended)).toEqual([expired, expired]);
    expect(() => bench.send(2)).toThrow('; sequence 2 was released 0.0 s ago (it got no slot in time)');
    expect([patient.ended, bench.live()]).toEqual(['', '1:i00 3:b0']);
  });

  test('a time-out does not matter in a slot', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(1, 's', { timeoutUs: 10 });
    bench.turn();
    const next = bench.send(1, '', { timeoutUs: 10 });
    bench.clock.advance(1000);
    bench.finish();
    bench.finish();
    expect(next.ended).toBe('completed');
  });

  test('is not reaped by idleness', () => {
    const bench = new Bench({ slots: 1, idleUs: 1000 });
    bench.send(1, 's');
    bench.turn();
    const waiting = bench.send(2, 's');
    bench.clock.advance(1_000_000);
    expect(bench.live()).toBe('1:i00 2:b0');
    expect(waiting.ended).toBe('');
  });
});

describe('idleness', () => {
  test('ends a sequence that says nothing for too long, and gives its slot on', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(543, 's');
    const waiting = bench.send(2, 's');
    bench.finish();
    bench.clock.advance(999_999);
    expect(bench.live()).toBe('543:i00 2:b0');
    bench.clock.advance(30_000);
    bench.finish();
    expect([waiting.ended, bench.live()]).toEqual(['completed', '2:i00']);
    bench.clock.advance(1_170_000 - 1000);
    expect(() => bench.send(543)).toThrow(
      "inference request for sequence 543 to model 'm' must specify the START flag on the first request of the sequence; " +
        'sequence 543 was released 1.2 s ago (idle longer than 1000000 us)',
    );
  });

  test('is exact for the sequence that asks', () => {
    const bench = new Bench();
    bench.send(1, 's');
    bench.finish();
    bench.clock.advance(999_999);
    bench.send(1);
    bench.finish();
    bench.clock.advance(1_000_000);
    expect(() => bench.send(1)).toThrow('released 0.0 s ago (idle');
  });

  test('begins when the last answer is there: a slow model does not end its sequences', () => {
    const bench = new Bench();
    const slow = bench.send(1, 's');
    bench.turn();
    bench.clock.advance(5_000_000);
    bench.finish();
    bench.clock.advance(900_000);
    bench.send(1);
    expect([slow.ended, bench.live()]).toEqual(['completed', '1:i00']);
  });

  test('no timer is left when all sequences are over', () => {
    const bench = new Bench();
    bench.send(1, 's');
    bench.finish();
    bench.clock.advance(3_000_000);
    expect([bench.live(), bench.clock.timers]).toEqual(['', 0]);
  });
});

describe('direct', () => {
  test('what comes in one turn is one batch, by slots', () => {
    const bench = new Bench();
    for (const id of [1, 2, 3]) bench.send(id, 's');
    bench.turn();
    expect(bench.running()).toBe('1s 2s 3s');
  });

  test('slots below the highest that waits are filled up', () => {
    const bench = new Bench();
    for (const id of [1, 2, 3, 4]) bench.send(id, 's');
    bench.finish();
    bench.send(3);
    bench.turn();
    expect(bench.running()).toBe('- - 3');
    bench.finish();
    expect(bench.fillers.map(({ ended }) => ended)).toEqual(['completed', 'completed']);
    expect(bench.instance.sealed).toEqual([4, 3]);
  });

  test('one execution at a time, and one request of a sequence in each', () => {
    const bench = new Bench();
    for (const flags of ['s', '', 'e']) bench.send(1, flags);
    bench.turn();
    expect([bench.running(), bench.open()]).toEqual(['1s', '']);
    bench.send(2, 's');
    bench.turn();
    expect([bench.running(), bench.open()]).toEqual(['1s', '1 2s']);
    bench.finish();
    expect([bench.running(), bench.open()]).toEqual(['1 2s', '1e']);
  });

  test('what comes beside a batch that runs takes its rows in the one that is open', () => {
    const bench = new Bench();
    for (const id of [1, 2, 3, 4]) bench.send(id, 's');
    bench.turn();
    const open = [3, 1, 4].map((id) => {
      bench.send(id);
      bench.turn();
      return bench.open();
    });
    expect(open).toEqual(['- - 3', '1 - 3', '1 - 3 4']);
    bench.send(2, '', { key: 'other' });
    bench.turn();
    expect([bench.running(), bench.open()]).toEqual(['1s 2s 3s 4s', '1 - 3 4']);
    bench.finish();
    expect([bench.running(), bench.open()]).toEqual(['1 - 3 4', '- 2']);
    // One filler gave way to a request.
    expect(bench.fillers.map(({ ended }) => ended)).toEqual(['released', '', '']);
  });

  test.each(['hasVariableState', 'overwritesState'])('a sequence waits for the end of its step (%s)', (kind) => {
    const kinds = { hasState: true, hasVariableState: false, overwritesState: false, isIterative: false, [kind]: true };
    const bench = new Bench({ kinds });
    bench.send(1, 's');
    bench.send(1);
    bench.send(2, 's');
    bench.turn();
    bench.send(2);
    bench.send(3, 's');
    bench.turn();
    expect([bench.running(), bench.open()]).toEqual(['1s 2s', '- - 3s']);
    bench.finish();
    expect([bench.running(), bench.open()]).toEqual(['- - 3s', '1 2']);
  });

  test('requests of another shape are not in the batch: their slots are fillers', () => {
    const bench = new Bench();
    bench.send(1, 's', { key: 'a' });
    bench.send(2, 's', { key: 'b' });
    bench.send(3, 's', { key: 'a' });
    bench.turn();
    expect(bench.running()).toBe('1s - 3s');
    bench.finish();
    expect(bench.running()).toBe('- 2s');
  });

  test('waits for its share of slots, or for its time', () => {
    const bench = new Bench({ strategy: direct(500, 0.75) });
    bench.send(1, 's');
    bench.send(2, 's');
    bench.turn();
    bench.clock.advance(499);
    bench.turn();
    expect(bench.running()).toBe('');
    bench.clock.advance(1);
    bench.turn();
    expect(bench.running()).toBe('1s 2s');
    bench.finish();
    for (const id of [1, 2, 3]) bench.send(id, id === 3 ? 's' : '');
    bench.turn();
    expect(bench.running()).toBe('1 2 3s');
  });

  test('without memory it waits for what runs elsewhere; where nothing runs it fails', () => {
    const bench = new Bench({}, 2);
    const [a, b] = [bench.send(1, 's'), bench.send(2, 's')];
    bench.pool.instances[1]!.hasMemory = false;
    bench.turn();
    expect([bench.running(), b.ended, bench.scheduler.pending]).toEqual(['1s', '', 1]);
    bench.pool.instances[1]!.hasMemory = true;
    bench.finish();
    bench.finish();
    expect([a.ended, b.ended]).toEqual(['completed', 'completed']);
    bench.hasFillers = false;
    bench.send(3, 's');
    bench.finish();
    const hopeless = bench.send(3);
    bench.turn();
    expect(hopeless.ended).toContain('REJECTED RESOURCE_EXHAUSTED');
    expect(bench.isQuiet).toBe(true);
  });
});

describe('direct: why a batch has no more requests', () => {
  test('an instance was idle, it became free, or all slots have one', () => {
    const bench = new Bench({ slots: 2 });
    bench.send(1, 's');
    bench.turn();
    bench.send(2, 's');
    bench.finish();
    bench.finish();
    bench.send(1);
    bench.turn();
    for (const id of [1, 2]) bench.send(id);
    bench.finish();
    bench.finish();
    // The first row is a filler.
    bench.send(2);
    bench.finish();
    expect(bench.instance.reasons).toEqual(['idle_instance', 'end_of_queue', 'idle_instance', 'full', 'idle_instance']);
  });

  test.each(['hasVariableState', 'overwritesState'])('a step that waited for the one before (%s)', (kind) => {
    const kinds = { hasState: true, hasVariableState: false, overwritesState: false, isIterative: false, [kind]: true };
    const bench = new Bench({ kinds });
    for (const flags of ['s', '']) bench.send(1, flags);
    bench.finish();
    bench.finish();
    bench.send(1);
    bench.finish();
    expect(bench.instance.reasons).toEqual(['idle_instance', 'end_of_queue', 'idle_instance']);
  });

  test('it waited for its delay, or for its share of slots', () => {
    const bench = new Bench({ strategy: direct(500, 0.5) });
    bench.send(1, 's');
    bench.turn();
    bench.clock.advance(500);
    bench.finish();
    for (const id of [2, 1]) bench.send(id, id === 2 ? 's' : '');
    bench.finish();
    expect(bench.instance.reasons).toEqual(['delay', 'idle_instance']);
  });

  test('another slot waits with another shape, until it is cancelled', () => {
    for (const isCancelled of [false, true]) {
      const bench = new Bench();
      bench.send(1, 's', { key: 'a' });
      bench.send(2, 's', { key: 'b' });
      bench.turn();
      bench.send(3, 's', { key: 'b' });
      bench.clock.advance(1);
      const other = bench.send(1, '', { key: 'a' });
      bench.turn();
      expect(bench.open()).toBe('- 2s 3s');
      if (isCancelled) bench.scheduler.cancel(other);
      bench.finish();
      expect(bench.instance.reasons.slice(0, 2)).toEqual([
        'shape_changed',
        isCancelled ? 'end_of_queue' : 'shape_changed',
      ]);
    }
  });
});

describe('oldest', () => {
  test('has no fillers, and the next request of a sequence enters when the last is over', () => {
    const bench = new Bench({ strategy: oldest(), slots: 8 });
    for (const id of [1, 2, 3]) bench.send(id, 's');
    bench.send(3);
    bench.turn();
    expect(bench.running()).toBe('1s 2s 3s');
    bench.send(2);
    bench.turn();
    expect(bench.instance.open.length).toBe(0);
    bench.finish();
    expect(bench.running()).toBe('2 3');
  });

  test('lets a batch grow beside the one that runs', () => {
    const bench = new Bench({ strategy: oldest(2), slots: 8 });
    for (const id of [1, 2, 3, 4, 5]) bench.send(id, 's');
    bench.turn();
    bench.scheduler.run();
    expect([bench.running(), bench.instance.open.length, bench.scheduler.pending]).toEqual(['1s 2s', 2, 1]);
  });

  test('has as many sequences at once as there are candidates', () => {
    const bench = new Bench({ strategy: oldest(), slots: 2 });
    for (const id of [1, 2, 3]) bench.send(id, 's');
    bench.finish();
    expect(bench.live()).toBe('1:i00 2:i01 3:b0');
  });

  test('a sequence that ends gives its slot on only when its last request is over', () => {
    const bench = new Bench({ strategy: oldest(), slots: 1 });
    bench.send(1, 'se');
    const next = bench.send(2, 's');
    bench.turn();
    expect([bench.running(), bench.live()]).toEqual(['1se', '1:i00 2:b0']);
    bench.finish();
    expect([bench.running(), bench.live()]).toEqual(['2s', '2:i00']);
    expect(next.ended).toBe('');
  });
});

describe('cancelling', () => {
  const cancelled = 'CANCELED CANCELLED ';

  test.each([
    ['direct', direct()],
    ['oldest', oldest()],
  ])('a request that waits takes its sequence along (%s)', (_, strategy) => {
    const bench = new Bench({ strategy, slots: 1 });
    const running = bench.send(1, 's');
    bench.turn();
    const waiting = [bench.send(1), bench.send(1)];
    const next = bench.send(2, 's');
    bench.scheduler.cancel(waiting[1]!);
    expect(waiting.map(({ ended }) => ended)).toEqual([cancelled, cancelled]);
    // What runs keeps the slot until it is over.
    expect([running.ended, bench.live()]).toEqual(['', '1:i00 2:b0']);
    expect(() => bench.send(1)).toThrow('; sequence 1 is ending (a request of it was cancelled)');
    bench.finish();
    bench.finish();
    expect([running.ended, next.ended, bench.live()]).toEqual(['completed', 'completed', '2:i00']);
  });

  test('in the backlog', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(1, 's');
    const waiting = [bench.send(2, 's'), bench.send(2)];
    bench.scheduler.cancel(waiting[0]!);
    expect([...waiting.map(({ ended }) => ended), bench.live()]).toEqual([cancelled, cancelled, '1:i00']);
  });

  test('a request that runs is dropped at its end, and its sequence goes on', () => {
    const bench = new Bench();
    const running = bench.send(1, 's');
    bench.turn();
    bench.scheduler.cancel(running);
    expect([running.ended, running.cancelled]).toEqual(['', true]);
    bench.finish();
    bench.send(1);
    expect(bench.live()).toBe('1:i00');
  });

  test('one that is in an open batch has not begun', () => {
    const bench = new Bench({ strategy: oldest() });
    bench.send(1, 's');
    bench.turn();
    const open = bench.send(2, 's');
    expect(bench.instance.open.length).toBe(1);
    bench.scheduler.cancel(open);
    expect([open.ended, bench.instance.open.length, bench.live()]).toEqual([cancelled, 0, '1:i00']);
  });

  test('what has ended is left alone', () => {
    const bench = new Bench();
    const done = bench.send(1, 'se');
    bench.finish();
    bench.scheduler.cancel(done);
    expect(done.ended).toBe('completed');
  });
});

describe('an instance that dies', () => {
  test.each([
    ['direct', direct()],
    ['oldest', oldest()],
  ])('takes its sequences along, and the backlog waits for the next (%s)', (_, strategy) => {
    const bench = new Bench({ strategy, slots: 2 });
    const running = bench.send(1, 's');
    bench.turn();
    const [waiting, open] = [bench.send(1), bench.send(2, 's')];
    const backlogged = bench.send(3, 's');
    bench.clock.advance(0);
    bench.scheduler.putBack(bench.instance.die());
    bench.setInstances([]);
    expect(running.ended).toBe('BACKEND INTERNAL died');
    const text =
      "OTHER UNAVAILABLE sequence 1 of model 'm' has ended: instance 'i0' died, which had its state; begin it again with the START flag";
    expect(waiting.ended).toBe(text);
    expect(open.ended).toContain('OTHER UNAVAILABLE');
    expect([backlogged.ended, bench.live()]).toEqual(['', '3:b0']);
    expect(() => bench.send(1)).toThrow("; sequence 1 was released 0.0 s ago (instance 'i0' died)");
    bench.setInstances([bench.instanceOf('i0', 2)]);
    bench.finish();
    expect([backlogged.ended, bench.live()]).toEqual(['completed', '3:i00']);
  });

  test('leaves those of others alone', () => {
    const bench = new Bench({}, 2);
    const [a, b] = [bench.send(1, 's'), bench.send(2, 's')];
    bench.turn();
    const [dead, other] = bench.pool.instances;
    bench.scheduler.putBack(dead!.die());
    bench.setInstances([other!]);
    bench.send(2);
    bench.finish();
    bench.finish();
    expect([a.ended, b.ended, bench.live()]).toEqual(['BACKEND INTERNAL died', 'completed', '2:i10']);
  });

  test('with no instance left to come everything that waits fails', () => {
    const bench = new Bench({ slots: 1 });
    bench.send(1, 's');
    bench.turn();
    const waiting = bench.send(2, 's');
    bench.scheduler.putBack(bench.instance.die());
    bench.pool.isAvailable = false;
    bench.setInstances([]);
    expect(waiting.ended).toContain("OTHER UNAVAILABLE no instance of model 'm' can be started");
    expect(() => bench.send(3, 's')).toThrow("no instance of model 'm'");
    expect(bench.isQuiet).toBe(true);
  });
});

test.each([
  ['direct', direct()],
  ['oldest', oldest()],
])('where the first step never reached the instance, the next begins with a new state (%s)', (_, strategy) => {
  const bench = new Bench({ strategy });
  bench.instance.hasMemory = false;
  const first = bench.send(1, 's');
  bench.turn();
  expect(first.ended).toContain('REJECTED RESOURCE_EXHAUSTED');
  bench.instance.hasMemory = true;
  const isFresh = () => bench.instance.running.map(({ state }) => state & 1);
  for (const expected of [1, 0]) {
    bench.send(1);
    bench.turn();
    expect(isFresh()).toEqual([expected]);
    bench.finish();
  }
});

test('where a failed execution leaves no state the sequence is over', () => {
  const kinds = { hasState: true, hasVariableState: false, overwritesState: true, isIterative: false };
  const bench = new Bench({ kinds });
  bench.send(1, 's');
  const next = bench.send(1);
  bench.turn();
  const [step] = bench.instance.running;
  bench.instance.running = [];
  step!.fail(new ServerError('INTERNAL', 'no'), 'BACKEND');
  expect(next.ended).toContain('has ended: an execution failed and left no state');
  expect(bench.live()).toBe('');
});

test('the live view tells of each sequence, and of the last hundred that ended', () => {
  const bench = new Bench({ slots: 1 });
  bench.send(1, 's');
  bench.send(2, 's');
  bench.finish();
  bench.clock.advance(500);
  const { live } = bench.scheduler.snapshot();
  expect(live).toEqual([
    { id: 1, state: 'slot', instance: 'i0', place: 0, ageUs: 500, idleUs: 500, requestsDone: 1, requestsQueued: 0 },
    { id: 2, state: 'backlog', instance: '', place: 0, ageUs: 500, idleUs: 0, requestsDone: 0, requestsQueued: 1 },
  ]);
  bench.send(1, 'e');
  bench.finish();
  bench.finish();
  for (let id = 3; id < 200; id++) {
    bench.send(2, 'e');
    bench.finish();
    bench.send(2, 's');
    bench.finish();
  }
  const { ended } = bench.scheduler.snapshot();
  const counts = bench.scheduler.counts();
  expect([ended.length, counts.ended.end, counts.started, counts.inSlots]).toEqual([100, 198, 199, 1]);
  expect(ended[0]).toMatchObject({ id: 2, reason: 'end', cause: 'END flag', instance: 'i0', requests: 2, agoUs: 0 });
});

describe('rows begin a block of their own', () => {
  test('with the first request of a batch, and not behind requests that wait for an instance', () => {
    const bench = new Bench({ strategy: oldest() });
    expect(bench.scheduler.beginsBatch).toBe(true);
    bench.send(1, 's');
    expect(bench.scheduler.beginsBatch).toBe(false);
    bench.instance.seal();
    expect(bench.scheduler.beginsBatch).toBe(true);
    bench.instance.hasMemory = false;
    bench.send(2, 's');
    expect(bench.scheduler.pending).toBe(1);
    expect(bench.scheduler.beginsBatch).toBe(false);
  });
});
