import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BatchPolicy } from '../../src/schedulers/batch-plan.js';
import { DynamicScheduler } from '../../src/schedulers/dynamic.js';
import { OPEN_POLICY, type QueuePolicy, RequestQueue } from '../../src/schedulers/request-queue.js';
import { HandClock } from '../fakes/clock.js';
import { PuppetInstance } from '../fakes/instance.js';
import { FakeRequest } from '../fakes/request.js';

interface QueueParts {
  readonly levels: number;
  readonly policy: QueuePolicy;
}

function queueOf({ levels, policy }: QueueParts): RequestQueue {
  return new RequestQueue({
    levels,
    defaultLevel: Math.max(1, levels),
    defaultPolicy: policy,
    levelPolicies: new Map(),
  });
}

function inOrder(queue: RequestQueue): FakeRequest[] {
  return Array.from({ length: queue.length }, (_, index) => queue.at(index) as FakeRequest);
}

const anyPolicy: fc.Arbitrary<QueuePolicy> = fc.record({
  timeoutAction: fc.constantFrom('REJECT' as const, 'DELAY' as const),
  defaultTimeoutUs: fc.constantFrom(0, 50, 200),
  allowTimeoutOverride: fc.boolean(),
  maxSize: fc.constantFrom(0, 3),
});
const anyQueue = fc.record({ levels: fc.integer({ min: 0, max: 3 }), policy: anyPolicy });
const anyRequest = fc.record({
  priority: fc.integer({ min: 0, max: 4 }),
  timeoutUs: fc.constantFrom(0, 20, 100),
  afterUs: fc.integer({ min: 0, max: 40 }),
});

describe('a queue that takes over another', () => {
  test('has all that waited there, in its order within a level, each as long as the new policy says', () => {
    fc.assert(
      fc.property(anyQueue, anyQueue, fc.array(anyRequest, { maxLength: 30 }), (before, after, requests) => {
        const old = queueOf({ ...before, policy: { ...before.policy, maxSize: 0 } });
        let nowUs = 0;
        for (const [index, { priority, timeoutUs, afterUs }] of requests.entries()) {
          nowUs += afterUs;
          old.expire(nowUs);
          old.push(new FakeRequest(String(index), { priority, timeoutUs }), nowUs);
        }
        const waited = inOrder(old);
        const queue = queueOf(after);
        queue.adopt(old);
        expect(old.length).toBe(0);

        const levels = Math.max(1, after.levels);
        const levelOf = ({ priority }: FakeRequest) => (priority >= 1 && priority <= levels ? priority : levels);
        const expected = Array.from({ length: levels }, (_, level) =>
          waited.filter((request) => levelOf(request) === level + 1),
        ).flat();
        expect(inOrder(queue)).toEqual(expected);

        const deadlineOf = ({ queuedUs, timeoutUs }: FakeRequest) => {
          const { defaultTimeoutUs, allowTimeoutOverride } = after.policy;
          if (defaultTimeoutUs === 0) return Number.POSITIVE_INFINITY;
          const own = allowTimeoutOverride && timeoutUs > 0 ? timeoutUs : defaultTimeoutUs;
          return queuedUs + Math.min(own, defaultTimeoutUs);
        };
        const next = Math.min(Number.POSITIVE_INFINITY, ...waited.map(deadlineOf));
        expect(queue.nextDeadlineUs).toBe(next);
        const due = expected.filter((request) => deadlineOf(request) <= nowUs);
        const isRejecting = after.policy.timeoutAction === 'REJECT';
        expect(queue.expire(nowUs)).toEqual(isRejecting ? due : []);
        expect(queue.length).toBe(waited.length - (isRejecting ? due.length : 0));
      }),
    );
  });

  test('has what was put back there too, and refuses nobody for its size', () => {
    const old = queueOf({ levels: 0, policy: OPEN_POLICY });
    for (const name of ['b', 'c']) old.push(new FakeRequest(name), 5);
    const first = new FakeRequest('a');
    first.queuedUs = 1;
    old.putBack(first);
    const queue = queueOf({ levels: 0, policy: { ...OPEN_POLICY, maxSize: 1, defaultTimeoutUs: 100 } });
    queue.adopt(old);
    expect(inOrder(queue).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(queue.nextDeadlineUs).toBe(101);
    expect(() => queue.push(new FakeRequest('d'), 5)).toThrow('Exceeds maximum queue size');
  });
});

interface SchedulerParts {
  readonly policy: BatchPolicy;
  readonly prefetch: boolean;
  readonly queue: QueueParts;
}

const OPEN: QueueParts = { levels: 0, policy: OPEN_POLICY };
const PLAIN: BatchPolicy = { maxRows: 4, preferred: [4], delayUs: 0, single: false };

function setUp(parts: Partial<SchedulerParts> = {}) {
  const { policy, prefetch, queue }: SchedulerParts = { policy: PLAIN, prefetch: true, queue: OPEN, ...parts };
  const clock = new HandClock();
  const pool = { instances: [new PuppetInstance('i0', 4)], isAvailable: true };
  const scheduler = new DynamicScheduler({ policy, prefetch, model: 'm' }, queueOf(queue), pool, clock);
  const send = (name: string, request = new FakeRequest(name)) => {
    scheduler.enqueue(request, clock.nowUs());
    return request;
  };
  const change = (other: Partial<SchedulerParts>) => {
    const settings = { policy, prefetch, model: 'm', ...other };
    scheduler.reconfigure(settings, queueOf(other.queue ?? queue));
  };
  return { clock, pool, scheduler, instance: pool.instances[0]!, send, change };
}

describe('a scheduler with new settings', () => {
  test('lets go at once what waited by the old delay, and forgets its timer', () => {
    const { clock, instance, send, change } = setUp({ policy: { ...PLAIN, delayUs: 500 } });
    send('a');
    expect(instance.openRows).toBe(0);
    change({ policy: PLAIN });
    expect(instance.openRows).toBe(1);
    expect(clock.timers).toBe(0);
  });

  test('waits by the new delay, counted from the arrival', () => {
    const { clock, instance, scheduler, send, change } = setUp({ policy: { ...PLAIN, delayUs: 5000 } });
    send('a');
    clock.advance(300);
    change({ policy: { ...PLAIN, delayUs: 500 } });
    clock.advance(199);
    expect([instance.openRows, scheduler.pending]).toEqual([0, 1]);
    clock.advance(1);
    expect([instance.openRows, scheduler.pending]).toEqual([1, 0]);
  });

  test('refuses by the new time-out what has waited, when its time comes', () => {
    const { clock, instance, send, change } = setUp({ prefetch: false });
    send('a');
    instance.seal();
    const late = send('late');
    clock.advance(400);
    change({ prefetch: false, queue: { levels: 0, policy: { ...OPEN_POLICY, defaultTimeoutUs: 1000 } } });
    clock.advance(599);
    expect(late.ended).toBe('');
    clock.advance(1);
    expect(late.ended).toBe('REJECTED UNAVAILABLE Request timeout expired');
  });

  test('begins a batch beside the one that runs only from then on', () => {
    const { instance, scheduler, send, change } = setUp({ prefetch: false });
    send('a');
    instance.seal();
    send('b');
    expect([instance.openRows, scheduler.pending]).toEqual([0, 1]);
    change({ prefetch: true });
    expect([instance.openRows, scheduler.pending]).toEqual([1, 0]);
  });

  test('runs requests one by one from then on, and together again', () => {
    const { instance, scheduler, send, change } = setUp({ prefetch: false });
    send('a');
    instance.seal();
    for (const name of ['b', 'c', 'd', 'e']) send(name);
    change({ prefetch: false, policy: { ...PLAIN, single: true } });
    instance.finish();
    scheduler.run();
    instance.seal();
    expect(instance.sealed).toEqual([1, 1]);
    change({ prefetch: false });
    instance.finish();
    scheduler.run();
    instance.seal();
    expect(instance.sealed).toEqual([1, 1, 3]);
  });

  test('lets nobody join past the new delay the batch that waits', () => {
    const { instance, scheduler, send, change } = setUp();
    send('a');
    instance.seal();
    send('b');
    change({ policy: { ...PLAIN, delayUs: 500 } });
    send('c');
    expect([instance.openRows, scheduler.pending]).toEqual([1, 1]);
    change({});
    send('d');
    expect([instance.openRows, scheduler.pending]).toEqual([3, 0]);
  });

  test('keeps what is stopped stopped', () => {
    const { scheduler, send, change } = setUp();
    scheduler.stop();
    change({});
    expect(() => send('a')).toThrow('Server is stopping');
  });

  test('ends every request once, whatever changes, and instances that come and go', () => {
    const anyBatch = fc.record({
      maxRows: fc.constant(4),
      preferred: fc.constantFrom([4], [2, 4]),
      delayUs: fc.constantFrom(0, 100),
      single: fc.boolean(),
    });
    const anyParts = fc.record({ policy: anyBatch, prefetch: fc.boolean(), queue: anyQueue });
    const step = fc.oneof(
      { weight: 4, arbitrary: anyRequest },
      { weight: 2, arbitrary: fc.constantFrom('seal' as const, 'finish' as const, 'grow' as const, 'shrink' as const) },
      { weight: 1, arbitrary: anyParts },
    );
    fc.assert(
      fc.property(anyParts, fc.array(step, { maxLength: 60 }), (first, steps) => {
        const { clock, pool, scheduler, change } = setUp(first);
        const all = [...pool.instances];
        const accepted: FakeRequest[] = [];
        const work = (how: 'seal' | 'finish') => {
          for (const instance of all) instance[how]();
          scheduler.run();
        };
        for (const it of steps) {
          if (it === 'seal' || it === 'finish') work(it);
          else if (it === 'grow') {
            all.push(new PuppetInstance(`i${all.length}`, 4));
            pool.instances = [...pool.instances, all.at(-1)!];
            scheduler.run();
          } else if (it === 'shrink') {
            if (pool.instances.length > 1) pool.instances = pool.instances.slice(1);
          } else if ('policy' in it) change(it);
          else {
            clock.advance(it.afterUs);
            const request = new FakeRequest(String(accepted.length), it);
            try {
              scheduler.enqueue(request, clock.nowUs());
              accepted.push(request);
            } catch (error) {
              expect(String(error)).toContain('Exceeds maximum queue size');
            }
          }
        }
        for (let i = 0; i < accepted.length + 2; i++) {
          clock.advance(300);
          work('seal');
          work('finish');
        }
        expect(scheduler.pending).toBe(0);
        const wrong = accepted.filter(
          ({ ended }) => !/^(completed|REJECTED UNAVAILABLE Request timeout expired)$/.test(ended),
        );
        expect(wrong).toEqual([]);
        expect(clock.timers).toBe(0);
      }),
    );
  });
});
