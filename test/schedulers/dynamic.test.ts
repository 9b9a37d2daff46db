import { describe, expect, test } from 'vitest';
import type { BatchPolicy } from '../../src/schedulers/batch-plan.js';
import { DynamicScheduler } from '../../src/schedulers/dynamic.js';
import { OPEN_POLICY, type QueuePolicy, RequestQueue } from '../../src/schedulers/request-queue.js';
import { HandClock } from '../fakes/clock.js';
import { PuppetInstance } from '../fakes/instance.js';
import { FakeRequest } from '../fakes/request.js';

function setUp(options: { policy?: Partial<BatchPolicy>; queue?: Partial<QueuePolicy>; instances?: number } = {}) {
  const policy: BatchPolicy = { maxRows: 4, preferred: [4], delayUs: 0, single: false, ...options.policy };
  const clock = new HandClock();
  const queuePolicy = { ...OPEN_POLICY, ...options.queue };
  const queue = new RequestQueue({ levels: 0, defaultLevel: 1, defaultPolicy: queuePolicy, levelPolicies: new Map() });
  const instances = Array.from(
    { length: options.instances ?? 1 },
    (_, index) => new PuppetInstance(`i${index}`, policy.maxRows),
  );
  const pool = { instances, isAvailable: true };
  const prefetch = options.queue === undefined;
  const scheduler = new DynamicScheduler({ policy, prefetch, model: 'm' }, queue, pool, clock);
  const send = (name: string, request = new FakeRequest(name)) => {
    scheduler.enqueue(request, clock.nowUs());
    return request;
  };
  return { clock, scheduler, pool, instance: instances[0]!, instances, send };
}

test('an idle instance gets the first request at once, and its batch grows until it is sealed', () => {
  const { instance, send } = setUp();
  send('a');
  send('b');
  instance.seal();
  expect(instance.sealed).toEqual([2]);
});

test('beside the batch that runs one batch grows; what is over waits in the queue', () => {
  const { instance, scheduler, send } = setUp();
  send('a');
  instance.seal();
  for (const name of ['b', 'c', 'd', 'e', 'f']) send(name);
  expect(instance.openRows).toBe(4);
  expect(scheduler.pending).toBe(1);
  instance.finish();
  scheduler.run();
  expect(instance.sealed).toEqual([1, 4]);
  expect(instance.openRows).toBe(1);
  expect(scheduler.pending).toBe(0);
});

test('every request ends once, whatever the sizes', () => {
  const { instances, scheduler, send } = setUp({ instances: 2 });
  const requests = Array.from({ length: 50 }, (_, i) => send(`r${i}`, new FakeRequest(`r${i}`, { rows: 1 + (i % 4) })));
  for (let i = 0; i < 60; i++) {
    for (const instance of instances) {
      instance.seal();
      instance.finish();
      scheduler.run();
    }
  }
  expect(requests.filter((request) => request.ended !== 'completed')).toEqual([]);
  expect(Math.max(...instances.flatMap((instance) => instance.sealed))).toBeLessThanOrEqual(4);
});

test('requests of different shapes never share a batch', () => {
  const { instance, scheduler, send } = setUp();
  send('a', new FakeRequest('a', { key: 'x' }));
  send('b', new FakeRequest('b', { key: 'y' }));
  instance.seal();
  scheduler.run();
  expect(instance.sealed).toEqual([1]);
  expect(instance.openKey).toBe('y');
});

describe('delay', () => {
  test('an incomplete batch waits for its time, then goes', () => {
    const { clock, instance, send } = setUp({ policy: { delayUs: 500 } });
    send('a');
    clock.advance(300);
    send('b');
    expect(instance.isIdle).toBe(true);
    clock.advance(199);
    expect(instance.isIdle).toBe(true);
    clock.advance(1);
    expect(instance.openRows).toBe(2);
  });

  test('a full batch does not wait, and its timer goes', () => {
    const { clock, instance, send } = setUp({ policy: { delayUs: 500 } });
    for (const name of ['a', 'b', 'c', 'd']) send(name);
    expect(instance.openRows).toBe(4);
    expect(clock.timers).toBe(0);
  });
});

describe('why a batch has no more rows', () => {
  const named = (name: string, key: string) => new FakeRequest(name, { key });

  test('an instance that had nothing to do when the request came is idle, one that became free is not', () => {
    for (const options of [{}, { queue: { maxSize: 4 } }]) {
      const { instance, scheduler, send } = setUp(options);
      send('a');
      instance.seal();
      send('b');
      instance.finish();
      scheduler.run();
      instance.seal();
      instance.finish();
      scheduler.run();
      send('c');
      instance.seal();
      expect(instance.reasons).toEqual(['idle_instance', 'end_of_queue', 'idle_instance']);
    }
  });

  test('without dynamic batching others behind it make a request full', () => {
    for (const options of [{}, { queue: { maxSize: 4 } }]) {
      const { instance, scheduler, send } = setUp({ policy: { single: true }, ...options });
      send('a');
      instance.seal();
      for (const name of ['b', 'c', 'd']) send(name);
      for (let i = 0; i < 3; i++) {
        instance.finish();
        scheduler.run();
        instance.seal();
      }
      expect(instance.reasons).toEqual(['idle_instance', 'full', 'full', 'end_of_queue']);
    }
  });

  test('it grew after another request could not join it', () => {
    const { instance, scheduler, send } = setUp();
    send('a');
    instance.seal();
    send('b', named('b', 'x'));
    const other = send('other', named('other', 'y'));
    scheduler.cancel(other);
    send('c', named('c', 'x'));
    instance.finish();
    expect(instance.reasons).toEqual(['idle_instance', 'end_of_queue']);
  });

  test.each([
    ['another shape', () => named('other', 'y'), 'shape_changed'],
    ['too many rows', () => new FakeRequest('other', { rows: 4 }), 'full'],
  ] as const)('%s keeps a request out, until it is cancelled', (_, make, reason) => {
    for (const isCancelled of [false, true]) {
      const { instance, scheduler, send } = setUp();
      send('a');
      instance.seal();
      send('b');
      const other = send('other', make());
      if (isCancelled) scheduler.cancel(other);
      instance.finish();
      expect(instance.reasons).toEqual(['idle_instance', isCancelled ? 'end_of_queue' : reason]);
    }
  });

  test('the request that could not join went to another instance', () => {
    const { instances, send } = setUp({ instances: 2 });
    const [first, second] = [instances[0]!, instances[1]!];
    for (const instance of instances) {
      send(instance.name, named('a', 'x'));
      instance.seal();
    }
    send('b', named('b', 'x'));
    send('other', named('other', 'y'));
    first.finish();
    second.finish();
    expect([first.reasons, second.reasons]).toEqual([
      ['idle_instance', 'end_of_queue'],
      ['idle_instance', 'end_of_queue'],
    ]);
  });

  test('it was full until one of its requests was cancelled', () => {
    const { instance, scheduler, send } = setUp();
    send('a');
    instance.seal();
    const [gone] = ['b', 'c', 'd', 'e'].map((name) => send(name));
    scheduler.cancel(gone!);
    instance.finish();
    for (const name of ['f', 'g', 'h', 'i']) send(name);
    instance.finish();
    expect(instance.reasons).toEqual(['idle_instance', 'end_of_queue', 'full']);
  });

  test('it waited for its delay, or has a preferred size, whoever comes and goes behind it', () => {
    const { clock, instance, scheduler, send } = setUp({ policy: { maxRows: 4, preferred: [2, 4], delayUs: 100 } });
    send('a');
    clock.advance(100);
    instance.seal();
    send('b');
    send('c');
    scheduler.cancel(send('other', named('other', 'y')));
    instance.finish();
    expect(instance.reasons).toEqual(['delay', 'preferred']);
  });
});

describe('time-outs', () => {
  test('a request that waits too long is refused when its time comes, not when an instance is free', () => {
    const { clock, instance, send } = setUp({ queue: { defaultTimeoutUs: 1000 } });
    send('a');
    instance.seal();
    const late = send('late');
    clock.advance(1000);
    expect(late.ended).toBe('REJECTED UNAVAILABLE Request timeout expired');
  });

  test('with a queue policy no batch waits at a busy instance', () => {
    const { instance, scheduler, send } = setUp({ queue: { maxSize: 2 } });
    send('a');
    instance.seal();
    send('b');
    send('c');
    expect(instance.openRows).toBe(0);
    expect(scheduler.pending).toBe(2);
    expect(() => send('d')).toThrow('Exceeds maximum queue size');
  });
});

describe('cancelling', () => {
  test('takes a request out of the queue and out of an open batch', () => {
    const { instance, scheduler, send } = setUp();
    send('a');
    instance.seal();
    const open = send('open');
    for (const name of ['b', 'c', 'd']) send(name);
    const queued = send('queued');
    scheduler.cancel(queued);
    scheduler.cancel(open);
    expect(queued.ended).toBe('CANCELED CANCELLED ');
    expect(open.ended).toBe('CANCELED CANCELLED ');
    expect(instance.openRows).toBe(3);
    expect(scheduler.pending).toBe(0);
  });

  test('leaves one that runs to its end', () => {
    const { instance, scheduler, send } = setUp();
    const running = send('running');
    instance.seal();
    scheduler.cancel(running);
    expect(running.ended).toBe('');
    instance.finish();
    expect(running.ended).toBe('completed');
  });
});

test('without dynamic batching each request is an execution', () => {
  const { instance, scheduler, send } = setUp({ policy: { single: true } });
  for (const name of ['a', 'b', 'c']) send(name);
  for (let i = 0; i < 3; i++) {
    instance.seal();
    instance.finish();
    scheduler.run();
  }
  expect(instance.sealed).toEqual([1, 1, 1]);
});

test('a full batch of a backlog ends with its block of rows, so that the next one begins with its own', () => {
  const { instance, scheduler, send } = setUp();
  send('a');
  instance.seal();
  send('b');
  send('c');
  send('d');
  send('e');
  const place = (slot: number, row: number) => new FakeRequest(`${slot}.${row}`, { slot, row });
  for (const request of [place(0, 2), place(0, 3), place(64, 0), place(64, 1), place(64, 2), place(64, 3)]) {
    send(request.name, request);
  }
  instance.finish();
  scheduler.run();
  expect(instance.openRows).toBe(2);
  instance.finish();
  scheduler.run();
  expect(instance.openRows).toBe(4);
});

test('without memory for outputs requests are refused where nothing runs that could bring some back', () => {
  const { instance, send } = setUp();
  instance.hasMemory = false;
  expect(send('a').ended).toContain('RESOURCE_EXHAUSTED');
});

test('without memory for outputs requests wait for the batch that runs', () => {
  const { instance, scheduler, send } = setUp();
  const a = send('a');
  instance.seal();
  instance.hasMemory = false;
  const b = send('b');
  expect([b.ended, scheduler.pending]).toEqual(['', 1]);
  instance.hasMemory = true;
  instance.finish();
  scheduler.run();
  instance.seal();
  instance.finish();
  expect([a.ended, b.ended]).toEqual(['completed', 'completed']);
});

test('what a dying instance gives back runs first', () => {
  const { instance, scheduler, send } = setUp();
  send('a');
  instance.seal();
  const [b, c] = [send('b'), send('c')];
  instance.open = [];
  scheduler.putBack([b, c]);
  instance.finish();
  scheduler.run();
  expect(instance.open).toEqual([b, c]);
});

test('with no instance left everything that waits fails, and nothing new is taken', () => {
  const { pool, instance, scheduler, send } = setUp();
  send('a');
  instance.seal();
  for (const name of ['b', 'c', 'd', 'e']) send(name);
  const waiting = send('waiting');
  pool.isAvailable = false;
  scheduler.run();
  expect(waiting.ended).toContain('OTHER UNAVAILABLE');
  expect(() => send('new')).toThrow("no instance of model 'm'");
});

test('a stopped scheduler takes nothing new and finishes what it has', () => {
  const { instance, scheduler, send } = setUp();
  const a = send('a');
  scheduler.stop();
  expect(() => send('b')).toThrow('Server is stopping');
  instance.seal();
  instance.finish();
  expect(a.ended).toBe('completed');
});
