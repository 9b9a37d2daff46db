import { describe, expect, test } from 'vitest';
import { type BatchPolicy, planBatch } from '../../src/schedulers/batch-plan.js';

/** `rows` or `rows:key`, separated by blanks; a number before `+` is what is open already. */
function plan(policy: Partial<BatchPolicy>, queue: string, ageUs = 0) {
  const { take, waitUs } = planned(policy, queue, ageUs);
  if (take > 0) return `take ${take}`;
  return waitUs < 0 ? 'nothing' : `wait ${waitUs}`;
}

function planned(policy: Partial<BatchPolicy>, queue: string, ageUs: number) {
  const [openText, pendingText] = queue.includes('+') ? queue.split('+') : ['', queue];
  const pending = parse(pendingText!);
  const open = parse(openText!)[0] ?? { rows: 0, key: '' };
  const full: BatchPolicy = { maxRows: 8, preferred: [8], delayUs: 0, single: false, ...policy };
  const view = {
    length: pending.length,
    rowsAt: (index: number) => pending[index]!.rows,
    keyAt: (index: number) => pending[index]!.key,
  };
  return planBatch(full, open, view, ageUs);
}

function parse(text: string): { rows: number; key: string }[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [rows, key] = word.split(':');
      return { rows: Number(rows), key: key ?? '' };
    });
}

describe('why a batch has no more rows', () => {
  const wanting = { preferred: [4, 6], delayUs: 100 };
  test.each([
    [{}, '1 1', 0, null],
    [{}, '1 1 1 1 1 1 1 1', 0, 'full'],
    [{}, '5 4', 0, 'full'],
    [{}, '1:a 1:b', 0, 'shape_changed'],
    [{ single: true }, '1', 0, null],
    [{ single: true }, '1 1', 0, 'full'],
    [{ single: true }, '8', 0, 'full'],
    [{ single: true, maxRows: 1 }, '1', 0, null],
    [wanting, '1 1 1 1', 0, 'preferred'],
    [wanting, '1 1 1 1 1', 0, 'preferred'],
    [wanting, '1 1', 100, 'delay'],
    [wanting, '1:a 1:b', 0, 'shape_changed'],
    [{}, '1:a+1:b', 0, null],
  ] as const)('%j: %s after %i us: %s', (policy, queue, ageUs, reason) => {
    expect(planned(policy, queue, ageUs).reason).toBe(reason);
  });
});

describe('without delay nothing waits', () => {
  test.each([
    ['', 'nothing'],
    ['1', 'take 1'],
    ['1 1 1', 'take 3'],
    ['1 1 1 1 1 1 1 1', 'take 8'],
    ['1 1 1 1 1 1 1 1 1 1', 'take 8'],
    ['4 4 1', 'take 2'],
    ['3 3 3', 'take 2'],
    ['8', 'take 1'],
    ['1:a 1:a 1:b', 'take 2'],
    ['1:a 1:b 1:b', 'take 1'],
  ])('%s -> %s', (queue, expected) => {
    expect(plan({}, queue)).toBe(expected);
  });
});

describe('with a delay the batcher waits for a preferred size', () => {
  const policy = { preferred: [4, 6], delayUs: 100 };
  test.each([
    ['1', 0, 'wait 100'],
    ['1 1', 30, 'wait 70'],
    ['1 1 1 1', 0, 'take 4'],
    ['1 1 1 1 1', 0, 'take 4'],
    ['1 1 1 1 1 1', 0, 'take 6'],
    ['1 1 1 1 1 1 1 1', 0, 'take 6'],
    // Once the oldest is due, everything that fits goes.
    ['1 1', 100, 'take 2'],
    ['1 1 1 1 1', 100, 'take 5'],
    ['1 1 1 1 1 1 1 1', 100, 'take 8'],
    ['1 1 1 1 1 1 1 1 1', 100, 'take 8'],
    // A request that does not fit any more ends the wait.
    ['5 5', 0, 'take 1'],
    ['3 4', 0, 'take 1'],
    ['7', 0, 'take 1'],
    ['1:a 1:b', 0, 'take 1'],
  ])('%s at age %i -> %s', (queue, ageUs, expected) => {
    expect(plan(policy, queue, ageUs)).toBe(expected);
  });
});

describe('an open batch counts as part of the batch', () => {
  test.each([
    ['3+1', 'take 1'],
    ['7+1 1', 'take 1'],
    ['8+1', 'nothing'],
    ['6+3', 'nothing'],
    ['2:a+1:b', 'nothing'],
  ])('%s -> %s', (queue, expected) => {
    expect(plan({}, queue)).toBe(expected);
  });

  test('and grows to the next preferred size only', () => {
    const policy = { preferred: [4, 8], delayUs: 0 };
    expect(plan(policy, '4+1 1 1 1')).toBe('take 4');
    expect(plan(policy, '2+1 1 1')).toBe('take 2');
  });
});

test('without dynamic batching each request runs alone', () => {
  expect(plan({ single: true }, '1 1 1')).toBe('take 1');
  expect(plan({ single: true }, '1+1')).toBe('nothing');
});
