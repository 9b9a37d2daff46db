import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real servers and worker threads: a slow machine must not fail a test that waits for neither.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Native addons that keep per-thread state are loaded in processes, not in vitest's threads.
    pool: 'forks',
    // Most of a test with a real server is waiting, also where there are but two cores.
    maxWorkers: 3,
  },
});
