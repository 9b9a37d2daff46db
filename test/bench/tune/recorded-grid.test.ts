import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { RecordedGrid } from '../../../bench/tune/record-grid.js';
import { isWithin, type Limits, ranking, Search } from '../../../bench/tune/search.js';
import { keyOf, nearest, type Point, sizeOf } from '../../../bench/tune/space.js';

/**
 * Every point of `conch tune dense --instances 1,2 --threads 1,2 --max-batch-size 8,32 --queue-delay-us 0,200,1000 --concurrency 1,4,16,64,256`
 * as it was measured once, noise and all (`bench/tune/record-grid.ts`).
 */
const grid = JSON.parse(readFileSync(new URL('grid-dense.json', import.meta.url), 'utf8')) as RecordedGrid;
const { space, measurements } = grid;

async function replay(start: Point, limits: Limits): Promise<Search> {
  const measure = (point: Point) => Promise.resolve(measurements[keyOf(nearest(space, point))]!);
  const search = new Search({ space, limits, start, measure, mayGoOn: () => true });
  await search.run();
  return search;
}

function allPoints(): Point[] {
  const { instances, maxBatchSize, queueDelayUs, threads, concurrency } = space;
  return instances.flatMap((i) =>
    maxBatchSize.flatMap((m) =>
      queueDelayUs.flatMap((q) =>
        threads.flatMap((t) =>
          concurrency.map((c) => ({ instances: i, maxBatchSize: m, queueDelayUs: q, threads: t, concurrency: c })),
        ),
      ),
    ),
  );
}

test('the record holds the whole grid', () => {
  expect(allPoints().map((point) => keyOf(nearest(space, point)))).toEqual(Object.keys(measurements));
});

test.each([null, 20_000, 10_000, 5000, 2000, 1000])(
  'latencies of up to %s us: from wherever the search starts, within 5 % of the best of the grid in a fifth of its measurements',
  async (latencyUs) => {
    const limits = { latencyUs, memoryBytes: null };
    const possible = Object.values(measurements).filter((measurement) => isWithin(measurement, limits));
    const best = Math.max(...possible.map(({ throughput }) => throughput));
    for (const start of [grid.start, ...allPoints()]) {
      const { trials } = await replay(start, limits);
      expect(ranking(trials)[0]!.measurement.throughput, JSON.stringify(start)).toBeGreaterThanOrEqual(0.95 * best);
      expect(trials.length).toBeLessThanOrEqual(sizeOf(space) / 5);
    }
  },
);
