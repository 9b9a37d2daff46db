import { expect, test } from 'vitest';
import { changesTo, type ModelSettings, searchSpace, startPoint } from '../../../bench/tune/model-space.js';
import type { TuneBounds } from '../../../bench/tune/options.js';

const CORES = 6;
const open: TuneBounds = { instances: null, maxBatchSize: null, queueDelayUs: null, threads: null, concurrency: null };
const model: ModelSettings = {
  name: 'sums',
  scheduler: 'dynamic',
  maxBatchSize: 8,
  instances: 1,
  queueDelayUs: 50,
  hasThreads: true,
  threads: 0,
  steps: [],
};

test('powers of two up to the cores, and what the model has now', () => {
  expect(searchSpace(model, open, CORES)).toEqual({
    instances: [1, 2, 4, 6],
    maxBatchSize: [1, 4, 8, 16, 64],
    queueDelayUs: [0, 50, 100, 500, 2000],
    threads: [1, 2, 4, 6],
    concurrency: [1, 4, 16, 64, 256],
  });
});

test('bounds are kept, but what the model has is in them', () => {
  const bounds = { ...open, instances: [2, 3], queueDelayUs: [0], concurrency: [7] };
  const space = searchSpace(model, bounds, CORES);
  expect(space.instances).toEqual([1, 2, 3]);
  expect(space.queueDelayUs).toEqual([0, 50]);
  expect(space.concurrency).toEqual([7]);
});

test('a model without dynamic batching is tried without it, too', () => {
  const space = searchSpace({ ...model, scheduler: 'default', queueDelayUs: null }, open, CORES);
  expect(space.queueDelayUs).toEqual([null, 0, 100, 500, 2000]);
});

test('what a model cannot have is not tried', () => {
  const rigid = { ...model, scheduler: 'default' as const, maxBatchSize: 0, queueDelayUs: null, hasThreads: false };
  const space = searchSpace(rigid, open, CORES);
  expect(space.maxBatchSize).toEqual([0]);
  expect(space.queueDelayUs).toEqual([null]);
  expect(space.threads).toEqual([null]);
  const sequence = searchSpace({ ...model, scheduler: 'sequence', queueDelayUs: null }, open, CORES);
  expect(sequence.queueDelayUs).toEqual([null]);
});

test.each([
  [{ ...model, maxBatchSize: 0 }, { ...open, maxBatchSize: [4] }, "--max-batch-size: the model 'sums' has no batch"],
  [{ ...model, maxBatchSize: 0 }, { ...open, queueDelayUs: [4] }, '--queue-delay-us: the model'],
  [{ ...model, scheduler: 'ensemble' as const, steps: ['a', 'b'] }, open, 'tune its steps, a, b'],
])('what cannot be is refused by name', (settings, bounds, message) => {
  expect(() => searchSpace(settings, bounds, CORES)).toThrow(message);
});

test('the search begins with what there is, under a load that fills its batches', () => {
  const space = searchSpace(model, open, CORES);
  expect(startPoint(model, space, CORES)).toEqual({
    instances: 1,
    maxBatchSize: 8,
    queueDelayUs: 50,
    threads: 6,
    concurrency: 16,
  });
});

test('only what differs is written', () => {
  const same = { instances: 1, maxBatchSize: 8, queueDelayUs: 50, threads: 6 };
  expect(changesTo(same, model, CORES)).toEqual({});
  expect(changesTo({ ...same, threads: 2, maxBatchSize: 16 }, model, CORES)).toEqual({ threads: 2, maxBatchSize: 16 });
});

test('threads that follow from the instances are not written', () => {
  const shared = { instances: 2, maxBatchSize: 8, queueDelayUs: 50, threads: 3 };
  expect(changesTo(shared, model, CORES)).toEqual({ instances: 2 });
  expect(changesTo({ ...shared, threads: 6 }, model, CORES)).toEqual({ instances: 2, threads: 6 });
  expect(changesTo(shared, { ...model, threads: 3 }, CORES)).toEqual({ instances: 2 });
});
