import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPEN_POLICY, type QueuePolicy, RequestQueue } from '../../src/schedulers/request-queue.js';
import { FakeRequest } from '../fakes/request.js';

function queueOf(levels: number, policy: Partial<QueuePolicy> = {}, levelPolicies = new Map<number, QueuePolicy>()) {
  const defaultPolicy = { ...OPEN_POLICY, ...policy };
  return new RequestQueue({ levels, defaultLevel: Math.max(1, levels), defaultPolicy, levelPolicies });
}

function names(queue: RequestQueue): string {
  return Array.from({ length: queue.length }, (_, index) => (queue.at(index) as FakeRequest).name).join(' ');
}

describe('priorities', () => {
  test('lower levels are served first, each in order of arrival', () => {
    const queue = queueOf(3);
    for (const [name, priority] of [
      ['a', 3],
      ['b', 1],
      ['c', 2],
      ['d', 1],
    ] as const) {
      queue.push(new FakeRequest(name, { priority }), 0);
    }
    expect(names(queue)).toBe('b d c a');
  });

  test('no priority, and one beyond the levels, mean the default level', () => {
    const queue = queueOf(2);
    queue.push(new FakeRequest('none'), 0);
    queue.push(new FakeRequest('beyond', { priority: 9 }), 0);
    queue.push(new FakeRequest('first', { priority: 1 }), 0);
    expect(names(queue)).toBe('first none beyond');
  });

  test('there may be 2^64 - 1, of which those that are empty cost nothing', () => {
    const queue = queueOf(2 ** 64 - 1, {}, new Map([[2 ** 32, { ...OPEN_POLICY, maxSize: 1 }]]));
    queue.push(new FakeRequest('last'), 0);
    queue.push(new FakeRequest('own', { priority: 2 ** 32 }), 0);
    for (let priority = 1000; priority > 0; priority--) {
      queue.push(new FakeRequest(String(priority), { priority }), 0);
      expect((queue.shift() as FakeRequest).name).toBe(String(priority));
    }
    expect(() => queue.push(new FakeRequest('b', { priority: 2 ** 32 }), 0)).toThrow('Exceeds maximum queue size');
    expect(names(queue)).toBe('own last');
  });
});

describe('queue size', () => {
  test('a full level refuses with UNAVAILABLE, others do not', () => {
    const queue = queueOf(2, { maxSize: 1 });
    queue.push(new FakeRequest('a', { priority: 1 }), 0);
    expect(() => queue.push(new FakeRequest('b', { priority: 1 }), 0)).toThrow('Exceeds maximum queue size');
    queue.push(new FakeRequest('c', { priority: 2 }), 0);
    expect(names(queue)).toBe('a c');
  });

  test('a level has its own policy', () => {
    const queue = queueOf(2, {}, new Map([[2, { ...OPEN_POLICY, maxSize: 1 }]]));
    queue.push(new FakeRequest('a', { priority: 2 }), 0);
    expect(() => queue.push(new FakeRequest('b', { priority: 2 }), 0)).toThrow('Exceeds maximum queue size');
  });
});

describe('time-outs', () => {
  test('REJECT takes out what has waited too long', () => {
    const queue = queueOf(0, { defaultTimeoutUs: 100 });
    const old = new FakeRequest('old');
    queue.push(old, 0);
    queue.push(new FakeRequest('young'), 50);
    expect(queue.nextDeadlineUs).toBe(100);
    expect(queue.expire(99)).toEqual([]);
    expect(queue.expire(100)).toEqual([old]);
    expect(names(queue)).toBe('young');
    expect(queue.nextDeadlineUs).toBe(150);
  });

  test('DELAY serves it after all others of its level, and never again too late', () => {
    const queue = queueOf(0, { defaultTimeoutUs: 100, timeoutAction: 'DELAY' });
    queue.push(new FakeRequest('late'), 0);
    queue.push(new FakeRequest('a'), 90);
    expect(queue.expire(120)).toEqual([]);
    queue.push(new FakeRequest('b'), 130);
    expect(names(queue)).toBe('a b late');
    queue.expire(10_000);
    expect(queue.length).toBe(3);
  });

  test.each([
    [true, 40, 40],
    [true, 400, 100],
    [true, 0, 100],
    [false, 40, 100],
  ])('override %s, own time-out %i: expires at %i', (allowTimeoutOverride, timeoutUs, expected) => {
    const queue = queueOf(0, { defaultTimeoutUs: 100, allowTimeoutOverride });
    queue.push(new FakeRequest('a', { timeoutUs }), 0);
    expect(queue.nextDeadlineUs).toBe(expected);
  });

  test('without a default a request time-out has no effect', () => {
    const queue = queueOf(0, { allowTimeoutOverride: true });
    queue.push(new FakeRequest('a', { timeoutUs: 5 }), 0);
    expect(queue.nextDeadlineUs).toBe(Number.POSITIVE_INFINITY);
  });
});

test('what is put back comes first and keeps its order', () => {
  const queue = queueOf(0);
  const [a, b] = [new FakeRequest('a'), new FakeRequest('b')];
  queue.push(new FakeRequest('c'), 0);
  queue.putBack(b);
  queue.putBack(a);
  expect(names(queue)).toBe('a b c');
});

test('serves like a list sorted by level, then delay, then arrival', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), n: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ kind: fc.constant('shift' as const), n: fc.nat() }),
    fc.record({ kind: fc.constant('remove' as const), n: fc.nat() }),
    fc.record({ kind: fc.constant('pass' as const), n: fc.integer({ min: 1, max: 80 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const queue = queueOf(3, { defaultTimeoutUs: 100, timeoutAction: 'DELAY' });
      let twin: { request: FakeRequest; level: number; late: boolean; dueUs: number }[] = [];
      let nowUs = 0;
      const order = () => {
        const late = twin.filter((entry) => entry.late);
        const all = [...twin.filter((entry) => !entry.late), ...late];
        return [1, 2, 3].flatMap((level) => all.filter((entry) => entry.level === level));
      };
      steps.forEach(({ kind, n }, index) => {
        if (kind === 'push') {
          const request = new FakeRequest(String(index), { priority: n });
          queue.push(request, nowUs);
          twin.push({ request, level: n >= 1 && n <= 3 ? n : 3, late: false, dueUs: nowUs + 100 });
        } else if (kind === 'pass') {
          nowUs += n;
          queue.expire(nowUs);
          const due = twin.filter((entry) => !entry.late && entry.dueUs <= nowUs);
          twin = [...twin.filter((entry) => !due.includes(entry)), ...due];
          for (const entry of due) entry.late = true;
        } else if (twin.length > 0) {
          const entry = order()[kind === 'shift' ? 0 : n % twin.length]!;
          if (kind === 'shift') expect(queue.shift()).toBe(entry.request);
          else expect(queue.remove(entry.request)).toBe(true);
          twin = twin.filter((other) => other !== entry);
        }
        expect(names(queue)).toBe(
          order()
            .map((entry) => entry.request.name)
            .join(' '),
        );
      });
    }),
  );
});
