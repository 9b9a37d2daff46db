import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadOptions } from '../../../../bench/load/options.js';
import { makeRepository } from '../../../e2e/server.js';

// Threads of instances are started from what was built.
const built = (path: string) => import(new URL(`../../../../dist/bench/load/${path}`, import.meta.url).href);
const { defaultOptions }: typeof import('../../../../bench/load/default-options.js') =
  await built('default-options.js');
const { inProcessParts }: typeof import('../../../../bench/load/in-process/in-process-parts.js') = await built(
  'in-process/in-process-parts.js',
);
const { runLoad }: typeof import('../../../../bench/load/run-load.js') = await built('run-load.js');
const { silentProgress }: typeof import('../../../../bench/load/measure/progress.js') =
  await built('measure/progress.js');

let folder: string;

beforeAll(async () => {
  folder = await makeRepository(['simple', 'sequence_oldest', 'repeat']);
});

afterAll(() => rmSync(folder, { recursive: true }));

async function run(model: string, more: Partial<LoadOptions> = {}) {
  const options: LoadOptions = {
    ...defaultOptions,
    model,
    inProcess: { modelRepository: [folder], loadModels: [] },
    measurement: { ...defaultOptions.measurement, requestCount: 200, warmupMs: 0 },
    ...more,
  };
  const hooks = { signal: new AbortController().signal, progress: silentProgress, command: 'conch bench' };
  const { report, trouble } = await runLoad(options, inProcessParts, hooks);
  expect(trouble).toBeNull();
  return report;
}

test('a load is measured, and the statistics are those of its requests', async () => {
  const { server, results } = await run('simple', { batchSize: 2 });
  expect(server).toMatchObject({ protocol: 'in-process', url: '' });
  const [{ requests, failures, models }] = results as [(typeof results)[number]];
  expect({ requests, failures }).toEqual({ requests: 200, failures: [] });
  expect(models).toMatchObject([{ model: 'simple', requests: 200, inferences: 400 }]);
});

test('sequences and decoupled models are measured too', async () => {
  // As many sequences as the model has places for: one more would wait until others have been idle for long.
  const loads = { kind: 'concurrency', range: { start: 4, end: 4, step: 1 }, search: 'linear' } as const;
  const [sequences] = (await run('sequence_oldest', { loads })).results;
  expect(sequences).toMatchObject({ failures: [] });
  expect(sequences!.sequencesPerSecond).toBeGreaterThan(0);
  const [decoupled] = (await run('repeat', { data: { ...defaultOptions.data, stringData: 'plain' } })).results;
  expect(decoupled).toMatchObject({ requests: 200, failures: [] });
  expect(decoupled!.firstResponse!.count).toBe(200);
});

test.each<[string, Partial<LoadOptions>, RegExp]>([
  ['nobody', {}, / has no model 'nobody': it has /],
  ['simple', { data: { ...defaultOptions.data, sharedMemory: 'system' } }, /^data\.sharedMemory: /],
  ['simple', { metrics: { url: '', intervalMs: 1000 } }, /^metrics: /],
])('what cannot be measured in this process is said: %s %j', async (model, more, message) => {
  await expect(run(model, more)).rejects.toThrow(message);
});
