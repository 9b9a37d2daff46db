import { defineConfig } from 'vitest/config';

/** Tests that measure time: nothing runs beside them. */
export default defineConfig({
  test: {
    include: ['test/timing/*.timing.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
