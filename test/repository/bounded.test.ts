import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gate, mapBounded } from '../../src/repository/bounded.js';

test('results come in the order of the items, with never more under way than the bound', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.integer(), { maxLength: 20 }),
      fc.integer({ min: 1, max: 8 }),
      async (scheduler, items, limit) => {
        let running = 0;
        let most = 0;
        const done = mapBounded(items, limit, async (item) => {
          most = Math.max(most, ++running);
          await scheduler.schedule(Promise.resolve());
          running--;
          return item * 2;
        });
        expect(await scheduler.waitFor(done)).toEqual(items.map((item) => item * 2));
        expect(most).toBe(Math.min(limit, items.length));
      },
    ),
  );
});

test('a failure rejects, and what was not begun then never begins', async () => {
  const begun: number[] = [];
  const done = mapBounded([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    if (item === 2) throw new Error('two');
    return item;
  });
  await expect(done).rejects.toThrow('two');
  expect(begun).not.toContain(5);
});

test('a bound below one is a bug', async () => {
  await expect(mapBounded([1], 0, async () => 1)).rejects.toThrow('a bound of 0 lets nothing run');
});

test('a gate lets tasks in by their order, no more at a time than its bound, and all of them, also after failures', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.boolean(), { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      async (scheduler, tasks, limit) => {
        const gate = new Gate(limit);
        const begun: number[] = [];
        let running = 0;
        let most = 0;
        const ends = tasks.map((isGood, index) =>
          gate.run(async () => {
            begun.push(index);
            most = Math.max(most, ++running);
            await scheduler.schedule(Promise.resolve());
            running--;
            if (!isGood) throw new Error('no');
            return index;
          }),
        );
        const results = await scheduler.waitFor(Promise.allSettled(ends));
        expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'no'))).toEqual(
          tasks.map((isGood, index) => (isGood ? index : 'no')),
        );
        expect(begun).toEqual(tasks.map((_, index) => index));
        expect(most).toBe(Math.min(limit, tasks.length));
      },
    ),
  );
});

test('a gate that lets nothing in is a bug', () => {
  expect(() => new Gate(0)).toThrow('a bound of 0 lets nothing run');
});
