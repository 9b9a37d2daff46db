import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InstanceInit, StateLayout } from '../../src/backends/worker-protocol.js';
import { NO_STATE, stateWord } from '../../src/memory/layout.js';
import type { SealedBatch } from '../../workers/batch.js';
import { ImplicitStates } from '../../workers/states.js';
import { FakeValues } from './fake-values.js';

/** A row of a batch: the slot of its state, '-' for a filler, with `!` where it begins anew. */
type Row = `${number}` | `${number}!` | '-';

class Worker {
  readonly values = new FakeValues();
  readonly states: ImplicitStates;
  readonly input = new BigUint64Array(1);
  readonly output = new BigUint64Array(1);

  constructor(layout: Partial<StateLayout> = {}, batching = true) {
    const state: StateLayout = {
      input: 'IN',
      output: 'OUT',
      datatype: 'INT32',
      dims: [2],
      initialDims: [2],
      initial: new Uint8Array(Int32Array.of(0, 0).buffer),
      sameBuffer: false,
      ...layout,
    };
    const init = { states: [state], batching, maxEntries: 16 } as unknown as InstanceInit;
    this.states = new ImplicitStates(init, this.values.asOrt, [{ input: this.input, output: this.output }]);
  }

  /** What the batch is fed, row by row; then each row leaves what `next` makes of it. Null = the run fails. */
  run(rows: readonly Row[], next: ((row: readonly number[], nth: number) => readonly number[]) | null): number[][] {
    const words = rows.map((row) => (row === '-' ? NO_STATE : stateWord(Number.parseInt(row, 10), row.endsWith('!'))));
    this.states.prepare({ entries: rows.length, stateWord: (index: number) => words[index]! } as SealedBatch);
    const fed = this.values.elements(this.input[0]!);
    const width = fed.length / rows.length;
    const inputs = rows.map((_, nth) => fed.slice(nth * width, (nth + 1) * width));
    if (next !== null) this.#leave(inputs.map(next));
    this.states.endRun();
    for (const handle of [this.input, this.output]) {
      if (handle[0] !== 0n) this.values.release(handle[0]!);
      handle[0] = 0n;
    }
    return inputs;
  }

  key: string | null = null;

  #leave(rows: readonly (readonly number[])[]): void {
    if (this.output[0] !== 0n) throw new Error('an output was bound');
    this.output[0] = this.values.output([rows.length, rows[0]!.length], rows.flat());
    this.key = this.states.commit();
  }
}

const add = (by: number) => (row: readonly number[]) => row.map((value) => value + by);

describe('a batch of the same slots', () => {
  test('is fed what the one before left: nothing is made, nothing is copied', () => {
    const worker = new Worker();
    worker.run(['0!', '1!', '2!'], (row, nth) => [row[0]! + nth, 7]);
    const { made } = worker.values;
    for (let turn = 0; turn < 5; turn++) {
      const fed = worker.run(['0', '1', '2'], add(1));
      expect(fed).toEqual([
        [turn, 7 + turn],
        [turn + 1, 7 + turn],
        [turn + 2, 7 + turn],
      ]);
    }
    expect([worker.values.made - made, worker.values.copied, worker.values.live]).toEqual([0, 0, 1]);
  });

  test('with one that begins anew copies only its row', () => {
    const worker = new Worker();
    worker.run(['0!', '1!'], add(5));
    const { made } = worker.values;
    expect(worker.run(['0', '1!'], add(1))).toEqual([
      [5, 5],
      [0, 0],
    ]);
    expect([worker.values.made - made, worker.values.copied]).toEqual([0, 8]);
  });

  test('fillers are fed zeros, whatever their rows left', () => {
    const worker = new Worker();
    worker.run(['-', '1!'], add(5));
    expect(worker.run(['-', '1'], add(5))).toEqual([
      [0, 0],
      [5, 5],
    ]);
  });
});

describe('a batch of other slots', () => {
  test('takes rows from where they are, and keeps those of the others', () => {
    const worker = new Worker();
    worker.run(['0!', '1!', '2!'], (_, nth) => [nth, 10 * nth]);
    expect(worker.run(['2', '0'], add(100))).toEqual([
      [2, 20],
      [0, 0],
    ]);
    expect(worker.run(['1', '2', '3!'], add(1))).toEqual([
      [1, 10],
      [102, 120],
      [0, 0],
    ]);
    expect(worker.run(['0'], add(1))).toEqual([[100, 100]]);
  });

  test('copies neighbours in one go', () => {
    const worker = new Worker();
    worker.run(['0!', '1!', '2!', '3!'], (_, nth) => [nth, nth]);
    worker.run(['1', '2', '3'], add(0));
    // Three rows to the batch, one to its parking place.
    expect(worker.values.copied).toBe(4 * 8);
  });
});

test('what a failed run was fed is as it was', () => {
  const worker = new Worker();
  worker.run(['0!', '1!'], add(5));
  worker.run(['0', '1'], null);
  worker.run(['1', '2!'], null);
  expect(worker.run(['1', '0'], add(0))).toEqual([
    [5, 5],
    [5, 5],
  ]);
  expect(worker.values.live).toBe(1);
});

test('a slot whose first run failed has nothing of the sequence before', () => {
  const worker = new Worker();
  worker.run(['0!', '1!'], add(5));
  worker.run(['1!'], null);
  expect(worker.run(['1', '0'], add(1))).toEqual([
    [0, 0],
    [5, 5],
  ]);
  expect(worker.run(['1'], add(0))).toEqual([[1, 1]]);
});

test('a state of another shape than declared is refused, and the one before stays', () => {
  const worker = new Worker();
  worker.run(['0!'], add(5));
  const text = "unexpected shape for state 'OUT': the configuration expects [1,2], the model left [1,3]";
  expect(() => worker.run(['0'], (row) => [...row, 1])).toThrow(text);
  worker.states.endRun();
  worker.values.release(worker.output[0]!);
  worker.output[0] = 0n;
  expect(worker.run(['0'], add(0))).toEqual([[5, 5]]);
});

test('what a batch leaves that brought its states is checked, and is nobody’s state', () => {
  const worker = new Worker();
  worker.run(['0!'], add(5));
  const leave = (...dims: number[]) => {
    worker.output[0] = worker.values.output(dims, Array(dims[0]! * dims[1]!).fill(9));
    try {
      worker.states.check({ entries: 2 } as SealedBatch);
    } finally {
      worker.values.release(worker.output[0]!);
      worker.output[0] = 0n;
    }
  };
  leave(2, 2);
  expect(() => leave(2, 3)).toThrow(
    "unexpected shape for state 'OUT': the configuration expects [2,2], the model left [2,3]",
  );
  expect(worker.run(['0'], add(0))).toEqual([[5, 5]]);
});

test('the shapes of states that can change are told', () => {
  const worker = new Worker({ dims: [-1], initialDims: [1], initial: new Uint8Array(4) });
  const keys = [1, 2, 3].map((nth) => {
    worker.run([nth === 1 ? '0!' : '0'], (row) => [...row, nth]);
    return worker.key;
  });
  expect(keys).toEqual(['2', '3', '4']);
  worker.run(['0!'], () => [9]);
  expect(worker.key).toBe('');
});

/** Batches of slots without doubles, each with what happens to it. */
const batches = fc.array(
  fc.record({
    slots: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 5 }),
    fresh: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    fillers: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    again: fc.nat(2),
    fails: fc.boolean(),
    by: fc.integer({ min: 1, max: 1000 }),
  }),
  { maxLength: 40 },
);

test.each([
  ['of fixed shape', { dims: [1], grows: false }],
  ['that grow', { dims: [-1], grows: true }],
])('states %s: each slot has what a map would have, and no tensor is lost', (_, { dims, grows }) => {
  fc.assert(
    fc.property(batches, (script) => {
      const initial = new Uint8Array(Int32Array.of(42).buffer);
      const worker = new Worker({ dims, initialDims: [1], initial });
      const twin = new Map<number, number[]>();
      for (const { slots, fresh, fillers, again, fails, by } of script) {
        const start = (slot: number) => fresh[slot % 5]! || !twin.has(slot);
        const before = (slot: number) => (start(slot) ? [42] : twin.get(slot)!);
        // Only states of one shape share a batch.
        const { length } = before(slots[0]!);
        const members = slots.filter((slot) => before(slot).length === length);
        const rows = members.flatMap((slot, nth): Row[] => {
          const row: Row = start(slot) ? `${slot}!` : `${slot}`;
          return fillers[nth]! ? ['-', row] : [row];
        });
        const next = (row: readonly number[]) => (grows ? [...row, by] : row.map((value) => value + by));
        const fed = worker.run(rows, fails ? null : next);
        const expected = rows.map((row) => (row === '-' ? Array(length).fill(0) : before(Number.parseInt(row, 10))));
        expect(fed).toEqual(expected);
        if (fails) {
          // What was there before is another sequence's.
          for (const slot of members) if (start(slot)) twin.set(slot, [42]);
          continue;
        }
        for (const slot of members) twin.set(slot, next(before(slot)));
        for (let turn = 0; turn < again && !grows; turn++) {
          worker.run(
            rows.map((row) => row.replace('!', '') as Row),
            next,
          );
          for (const slot of members) twin.set(slot, next(twin.get(slot)!));
        }
      }
      expect(worker.values.live).toBeLessThanOrEqual(1);
      worker.states.close();
      expect(worker.values.live).toBe(0);
    }),
    { numRuns: 300 },
  );
});
