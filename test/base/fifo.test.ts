import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from '../../src/base/fifo.js';

test('behaves like an array under random operations', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), value: fc.nat() }),
    fc.record({ kind: fc.constant('unshift' as const), value: fc.nat() }),
    fc.record({ kind: fc.constant('shift' as const), value: fc.nat() }),
    fc.record({ kind: fc.constant('removeAt' as const), value: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const fifo = new Fifo<number>();
      const twin: number[] = [];
      for (const { kind, value } of operations) {
        if (kind === 'push') expect(fifo.push(value)).toBe(void twin.push(value));
        else if (kind === 'unshift') expect(fifo.unshift(value)).toBe(void twin.unshift(value));
        else if (twin.length === 0) continue;
        else if (kind === 'shift') expect(fifo.shift()).toBe(twin.shift());
        else expect(fifo.removeAt(value % twin.length)).toBe(twin.splice(value % twin.length, 1)[0]);
        expect(Array.from({ length: fifo.length }, (_, i) => fifo.at(i))).toEqual(twin);
      }
    }),
  );
});

test('refuses to shift from an empty queue', () => {
  expect(() => new Fifo<number>().shift()).toThrow('bug in Conch');
});
