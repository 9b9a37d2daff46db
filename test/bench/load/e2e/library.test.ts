import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadReport, Moment } from '../../../../bench/load/library.js';
import { ServerProcess } from '../../../e2e/server.js';

// By the name that users import it by; its threads are started from what was built.
const name = 'conch-server/bench';
const { runLoad }: typeof import('../../../../bench/load/library.js') = await import(/* @vite-ignore */ name);

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({ models: ['simple'] });
});

afterAll(() => server.stop());

test('a program measures, and watches', async () => {
  const moments: Moment[] = [];
  const report: LoadReport = await runLoad(
    {
      model: 'simple',
      url: `127.0.0.1:${server.httpPort}`,
      batchSize: 2,
      loads: { kind: 'concurrency', range: { start: 1, end: 3, step: 2 }, search: 'linear' },
      measurement: { requestCount: 60, warmupMs: 0 },
    },
    { progress: { begin() {}, tick: (moment) => void moments.push(moment), close() {} } },
  );
  const { results, isPartial, model } = report;
  expect(isPartial).toBe(false);
  expect(model).toMatchObject({ name: 'simple', version: '1', scheduler: 'default' });
  expect(results.map(({ load, requests, failures }) => ({ load, requests, failures }))).toEqual(
    [1, 3].map((concurrency) => ({ load: { kind: 'closed', concurrency }, requests: 60, failures: [] })),
  );
  for (const { throughput, seconds } of results) expect(throughput * seconds).toBeCloseTo(120, 5);
  expect(moments.at(-1)).toMatchObject({ stage: 'window', fraction: 1 });
});

test('what cannot be measured rejects with a sentence; an aborted run is partial or rejects', async () => {
  const url = `127.0.0.1:${server.httpPort}`;
  await expect(runLoad({ model: 'simple', url, batchSize: 99 })).rejects.toThrow('takes batches of 8 at most');
  await expect(runLoad({ model: 'simple', url }, { signal: AbortSignal.abort() })).rejects.toThrow('interrupted');
  const abort = new AbortController();
  const progress = {
    begin() {},
    tick: ({ fraction }: Moment) => void (fraction > 0 && abort.abort()),
    close() {},
  };
  const options = { model: 'simple', url, measurement: { requestCount: 1_000_000_000, warmupMs: 0 } };
  const { isPartial, results } = await runLoad(options, { signal: abort.signal, progress });
  expect(isPartial).toBe(true);
  expect(results[0]!.requests).toBeGreaterThan(0);
});
