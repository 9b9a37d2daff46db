import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UnreadTable } from '../../src/core/unread-table.js';

test('waits are told in their order, each once', () => {
  const table = new UnreadTable<string>(100);
  expect(table.due).toBe(Number.POSITIVE_INFINITY);
  table.given('a', 0);
  table.given('b', 10);
  table.given('a', 20);
  expect(table.due).toBe(100);
  table.taken('a', 1, 30);
  expect(table.due).toBe(110);
  expect(table.takeOverdue(109)).toEqual([]);
  expect(table.takeOverdue(200)).toEqual(['b', 'a']);
  expect(table.due).toBe(Number.POSITIVE_INFINITY);
});

test('it agrees with a list that is looked through', () => {
  const step = fc.record({ kind: fc.constantFrom('given', 'taken', 'look'), who: fc.nat(4), after: fc.nat(60) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const table = new UnreadTable<number>(100);
      const twin = Array.from({ length: 5 }, () => ({ unread: 0, since: 0 }));
      let now = 0;
      for (const { kind, who, after } of steps) {
        now += after;
        const mine = twin[who]!;
        if (kind === 'given') {
          table.given(who, now);
          if (mine.unread++ === 0) mine.since = now;
        } else if (kind === 'taken' && mine.unread > 0) {
          mine.unread--;
          mine.since = now;
          table.taken(who, mine.unread, now);
        } else if (kind === 'look') {
          const late = [0, 1, 2, 3, 4].filter((index) => twin[index]!.unread > 0 && twin[index]!.since + 100 <= now);
          expect(table.takeOverdue(now).sort()).toEqual(late);
          for (const index of late) twin[index]!.unread = 0;
        }
        const waits = twin.filter(({ unread }) => unread > 0).map(({ since }) => since + 100);
        expect(table.due).toBe(Math.min(...waits));
      }
    }),
  );
});
