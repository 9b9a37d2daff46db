import { expect, test } from 'vitest';
import { NOTHING_OPEN } from '../../../src/schedulers/batch-plan.js';
import { planDirect, type WaitingSlots } from '../../../src/schedulers/sequence/direct-plan.js';

/** `a@5` = waits with key a since 5 us, `.` = nothing waits. */
function slots(text: string): WaitingSlots {
  const waiting = text.split(' ').map((slot) => /^(\w+)@(\d+)$/.exec(slot));
  return {
    length: waiting.length,
    keyAt: (slot) => waiting[slot]?.[1] ?? null,
    queuedUsAt: (slot) => Number(waiting[slot]![2]),
  };
}

const NEVER = Number.POSITIVE_INFINITY;

test.each([
  // slots, delay, utilization, now -> rows, key, due, missing
  ['. . . .', 0, 0, 0, 0, '', NEVER],
  ['a@0 . . .', 0, 0, 0, 1, 'a', NEVER],
  ['. . a@0 .', 0, 0, 0, 3, 'a', NEVER],
  ['a@0 . . a@0', 0, 0, 0, 4, 'a', NEVER],
  // A delay without a utilization, or the other way round, waits for nothing.
  ['a@0 . . .', 100, 0, 50, 1, 'a', NEVER],
  ['a@0 . . .', 0, 1, 50, 1, 'a', NEVER],
  // Both: until enough slots are ready, or the oldest is due.
  ['a@10 . . .', 100, 0.5, 50, 0, '', 110, 1],
  ['a@10 . . a@40', 100, 0.5, 50, 4, 'a', NEVER],
  ['. a@30 . a@10', 100, 0.75, 50, 0, '', 110, 1],
  ['. a@30 . .', 100, 1, 50, 0, '', 130, 3],
  ['. a@30 . .', 100, 0.6, 50, 0, '', 130, 1],
  ['a@10 . . .', 100, 0.5, 110, 1, 'a', NEVER],
  ['a@10 . . .', 100, 0.25, 50, 1, 'a', NEVER],
  // Of two shapes the one that waits longer; the other's slots are fillers this time.
  ['a@20 b@10 a@30 .', 0, 0, 50, 2, 'b', NEVER],
  ['a@5 b@10 a@30 b@40', 0, 0, 50, 3, 'a', NEVER],
])(
  'slots %s, delay %d, utilization %d, at %d',
  (text, delayUs, minUtilization, nowUs, rows, key, dueUs, missing = 1) => {
    const plan = planDirect({ delayUs, minUtilization }, slots(text), NOTHING_OPEN, nowUs);
    expect(plan).toMatchObject({ rows, key, dueUs, missing });
  },
);

test.each([
  // Slots that are in the open batch wait no more; rows of the open batch -> rows
  ['. . a@0 .', 2, 3],
  ['a@0 . . .', 2, 2],
  ['. . . a@0', 4, 4],
  // Nothing that could join.
  ['. . . .', 2, 0],
  ['b@0 b@0 . .', 2, 0],
  ['b@0 . a@5 b@7', 2, 3],
])('slots %s join %d open rows at once, whatever the delay', (text, open, rows) => {
  const plan = planDirect({ delayUs: 100, minUtilization: 1 }, slots(text), { rows: open, key: 'a' }, 50);
  expect(plan).toMatchObject({ rows, key: rows === 0 ? '' : 'a', dueUs: NEVER, missing: 1 });
});

test.each([
  // slots, rows of the open batch (0 = none), now -> why no more
  ['a@0 . . .', 0, 0, null],
  ['a@0 . . a@0', 0, 10, null],
  ['a@0 . . .', 0, 100, 'delay'],
  ['a@0 b@50 . .', 0, 100, 'shape_changed'],
  ['b@0 a@50 . .', 2, 60, 'shape_changed'],
  ['b@0 . . .', 2, 60, 'shape_changed'],
  ['. a@50 . .', 2, 60, null],
] as const)('slots %s beside %d open rows at %d: %s', (text, open, nowUs, reason) => {
  const from = open === 0 ? NOTHING_OPEN : { rows: open, key: 'a' };
  expect(planDirect({ delayUs: 100, minUtilization: 0.5 }, slots(text), from, nowUs).reason).toBe(reason);
});
