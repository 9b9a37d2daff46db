import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena, type Slot } from '../../src/memory/arena.js';

const CAPACITY = 64 * 1024;

/** Random takes and trims of so many bytes, and gives; `nth` says which of the slots that are out. */
const operations = fc.array(
  fc.record({
    kind: fc.constantFrom('take', 'take', 'give', 'trim'),
    bytes: fc.integer({ min: 0, max: 9000 }),
    nth: fc.nat(50),
  }),
  { maxLength: 300 },
);

test('slots never overlap, are aligned, hold what was asked for, and all memory comes back', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const arena = new Arena(CAPACITY);
      const out: Slot[] = [];
      for (const { kind, bytes, nth } of steps) {
        if (kind === 'take') takeOne(arena, out, bytes);
        else if (out.length === 0) continue;
        else if (kind === 'trim') trimOne(arena, out[nth % out.length]!, bytes);
        else arena.give(out.splice(nth % out.length, 1)[0]!);
        expectDisjoint(out);
        expect(arena.used).toBe(out.reduce((sum, slot) => sum + slot.bytes, 0));
        expect(arena.slots).toBe(out.length);
      }
      for (const slot of out) arena.give(slot);
      expect(arena.used).toBe(0);
      const whole = arena.take(CAPACITY);
      expect(whole?.offset).toBe(0);
    }),
  );
});

function takeOne(arena: Arena, out: Slot[], bytes: number): void {
  const slot = arena.take(bytes);
  if (slot === null) return;
  expect(slot.offset % 64).toBe(0);
  expect(slot.bytes).toBeGreaterThanOrEqual(Math.max(1, bytes));
  expect(slot.offset + slot.bytes).toBeLessThanOrEqual(CAPACITY);
  out.push(slot);
}

function trimOne(arena: Arena, slot: Slot, bytes: number): void {
  const { offset, bytes: before } = slot;
  arena.trim(slot, bytes);
  expect([slot.offset, slot.bytes]).toEqual([offset, Math.min(before, Math.max(64, Math.ceil(bytes / 64) * 64))]);
}

function expectDisjoint(slots: readonly Slot[]): void {
  const sorted = [...slots].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    expect(sorted[i]!.offset).toBeGreaterThanOrEqual(sorted[i - 1]!.offset + sorted[i - 1]!.bytes);
  }
}

test('says no where there is no room, and yes again after a give', () => {
  const arena = new Arena(1024);
  const first = arena.take(1024)!;
  expect(arena.take(1)).toBeNull();
  arena.give(first);
  expect(arena.take(1024)).not.toBeNull();
});

test('what a slot is trimmed by is there for others', () => {
  const arena = new Arena(1024);
  const slot = arena.take(1024)!;
  arena.trim(slot, 100);
  expect(arena.take(1024 - 128)).not.toBeNull();
  expect(arena.take(1)).toBeNull();
});

test('inputs leave a quarter for outputs', () => {
  const arena = new Arena(4096);
  expect(arena.takeInput(3072)).not.toBeNull();
  expect(arena.takeInput(64)).toBeNull();
  expect(arena.take(1024)).not.toBeNull();
});

test('a slot given back twice is a bug that shows at once', () => {
  const arena = new Arena(1024);
  const slot = arena.take(64)!;
  arena.give(slot);
  expect(() => arena.give(slot)).toThrow('given back twice');
});
