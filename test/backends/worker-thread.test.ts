import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import { WorkerThread } from '../../src/backends/worker-thread.js';

const neverReady = fileURLToPath(new URL('never-ready-worker.mjs', import.meta.url));
const init = {} as Omit<InstanceInit, 'port'>;

// Whether the thread has begun with its task by then is a matter of luck: with 1 ms it has not, with 1 s it has.
test.each([1, 20, 100, 1000])('a thread that is not ready within %i ms is ended for good', async (startTimeoutMs) => {
  const thread = new WorkerThread(neverReady, { isFresh: true, limits: {}, startTimeoutMs });
  const first = await thread.start(init, { take: () => {} });
  expect(first).toMatchObject({ kind: 'failed', message: `the model was not ready within ${startTimeoutMs / 1000} s` });
  await thread.close();
});
