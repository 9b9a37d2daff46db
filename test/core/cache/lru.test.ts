import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteLru, ENTRY_OVERHEAD_BYTES } from '../../../src/core/cache/lru.js';

/** The same with an array. */
class Twin {
  entries: { key: string; value: number; bytes: number }[] = [];
  evictions = 0;

  constructor(readonly capacity: number) {}

  get used(): number {
    return this.entries.reduce((sum, { bytes }) => sum + bytes + ENTRY_OVERHEAD_BYTES, 0);
  }

  get(key: string): number | null {
    const index = this.entries.findIndex((entry) => entry.key === key);
    if (index < 0) return null;
    const [entry] = this.entries.splice(index, 1);
    this.entries.push(entry!);
    return entry!.value;
  }

  add(key: string, value: number, bytes: number): boolean {
    if (bytes + ENTRY_OVERHEAD_BYTES > this.capacity) return false;
    if (this.entries.some((entry) => entry.key === key)) return false;
    this.entries.push({ key, value, bytes });
    while (this.used > this.capacity) {
      this.entries.shift();
      this.evictions++;
    }
    return true;
  }
}

const key = fc.constantFrom(...'abcdefgh');
const step = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), key }),
  fc.record({ kind: fc.constant('add' as const), key, bytes: fc.nat({ max: 1200 }) }),
);

test('it does what an array does, and is never larger than it may be', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
      const lru = new ByteLru<number>(capacity);
      const twin = new Twin(capacity);
      steps.forEach((step, nth) => {
        if (step.kind === 'get') expect(lru.get(step.key)).toBe(twin.get(step.key));
        else expect(lru.add(step.key, nth, step.bytes)).toBe(twin.add(step.key, nth, step.bytes));
        expect([lru.used, lru.size, lru.evictions]).toEqual([twin.used, twin.entries.length, twin.evictions]);
        expect(lru.used).toBeLessThanOrEqual(capacity);
        for (const { key } of twin.entries) expect(lru.has(key)).toBe(true);
      });
    }),
  );
});

test('who is asked for stays, who was not goes', () => {
  const lru = new ByteLru<string>(2 * ENTRY_OVERHEAD_BYTES + 20);
  lru.add('a', 'A', 10);
  lru.add('b', 'B', 10);
  lru.get('a');
  lru.add('c', 'C', 10);
  expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual(['A', null, 'C']);
});
