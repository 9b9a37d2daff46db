import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Limits, type Measurement, ranking, Search } from '../../../bench/tune/search.js';
import { type Point, pointAt, type SearchSpace, sizeOf } from '../../../bench/tune/space.js';

const space: SearchSpace = {
  instances: [1, 2, 4, 8],
  maxBatchSize: [1, 4, 16, 64],
  queueDelayUs: [0, 100, 500, 2000],
  threads: [1, 2, 4],
  concurrency: [1, 4, 16, 64, 256],
};
const start: Point = { instances: 1, maxBatchSize: 4, queueDelayUs: 0, threads: 1, concurrency: 16 };
const noLimits: Limits = { latencyUs: null, memoryBytes: null };

/** A machine of so many cores: batches cost a fixed part and a part for each row; threads divide the second, not evenly. */
function machine(cores: number, fixedUs: number, rowUs: number): (point: Point) => Measurement {
  return ({ instances, maxBatchSize, queueDelayUs, threads, concurrency }) => {
    const rows = Math.max(1, Math.min(maxBatchSize, concurrency / (2 * instances)));
    const used = instances * threads!;
    const crowd = Math.max(1, used / cores);
    const batchUs = (fixedUs + (rows * rowUs) / threads! ** 0.8) * crowd;
    const waitUs = rows < maxBatchSize && concurrency / instances > 2 * rows ? queueDelayUs! / 4 : queueDelayUs!;
    const parallel = Math.min(instances, concurrency / rows);
    const throughput = (1e6 * rows * parallel) / (batchUs + waitUs);
    return {
      throughput,
      latencyUs: (1e6 * concurrency) / throughput,
      memoryBytes: 1e8 + instances * 5e7,
      failures: 0,
      reason: '',
    };
  };
}

function allPoints(): Point[] {
  const points: Point[] = [];
  for (let instances = 0; instances < space.instances.length; instances++)
    for (let maxBatchSize = 0; maxBatchSize < space.maxBatchSize.length; maxBatchSize++)
      for (let queueDelayUs = 0; queueDelayUs < space.queueDelayUs.length; queueDelayUs++)
        for (let threads = 0; threads < space.threads.length; threads++)
          for (let concurrency = 0; concurrency < space.concurrency.length; concurrency++)
            points.push(pointAt(space, { instances, maxBatchSize, queueDelayUs, threads, concurrency }));
  return points;
}

function bestOfAll(measure: (point: Point) => Measurement, limits: Limits): number {
  const good = allPoints()
    .map(measure)
    .filter(
      ({ latencyUs, memoryBytes }) =>
        (limits.latencyUs === null || latencyUs <= limits.latencyUs) &&
        (limits.memoryBytes === null || memoryBytes <= limits.memoryBytes),
    );
  return Math.max(0, ...good.map(({ throughput }) => throughput));
}

async function search(measure: (point: Point) => Measurement, limits: Limits, mayGoOn = () => true): Promise<Search> {
  const done = new Search({ space, limits, start, measure: (point) => Promise.resolve(measure(point)), mayGoOn });
  await done.run();
  return done;
}

test('on machines of any kind: nearly the best of the grid, in a fifth of its measurements', async () => {
  const kinds = fc.record({
    cores: fc.constantFrom(1, 2, 4, 8, 16),
    fixedUs: fc.integer({ min: 5, max: 5000 }),
    rowUs: fc.integer({ min: 1, max: 5000 }),
    latencyUs: fc.option(fc.integer({ min: 1000, max: 100_000 })),
  });
  await fc.assert(
    fc.asyncProperty(kinds, async ({ cores, fixedUs, rowUs, latencyUs }) => {
      const measure = machine(cores, fixedUs, rowUs);
      const limits = { latencyUs, memoryBytes: null };
      const { trials } = await search(measure, limits);
      expect(trials.length).toBeLessThanOrEqual(sizeOf(space) / 5);
      const best = bestOfAll(measure, limits);
      const found = ranking(trials)[0]?.measurement.throughput ?? 0;
      expect(found).toBeGreaterThanOrEqual(best * 0.95);
    }),
    { numRuns: 300 },
  );
});

test('limits are kept', async () => {
  const limits = { latencyUs: 5000, memoryBytes: 2.1e8 };
  const best = ranking((await search(machine(8, 200, 50), limits)).trials);
  expect(best.length).toBeGreaterThan(0);
  for (const { measurement } of best) {
    expect(measurement.latencyUs).toBeLessThanOrEqual(5000);
    expect(measurement.memoryBytes).toBeLessThanOrEqual(2.1e8);
  }
});

test('a point with failed requests is never the best', async () => {
  const measure = (point: Point) => ({ ...machine(4, 100, 10)(point), failures: point.instances > 1 ? 1 : 0 });
  const best = ranking((await search(measure, noLimits)).trials);
  expect(best.every(({ point }) => point.instances === 1)).toBe(true);
});

test('it ends when it may not go on, with what it has', async () => {
  let left = 7;
  const { trials } = await search(machine(4, 100, 10), noLimits, () => left-- > 0);
  expect(trials).toHaveLength(7);
});

test('nothing is measured twice', async () => {
  const seen = new Set<string>();
  await search((point) => {
    const key = JSON.stringify(point);
    expect(seen.has(key)).toBe(false);
    seen.add(key);
    return machine(4, 100, 10)(point);
  }, noLimits);
});
