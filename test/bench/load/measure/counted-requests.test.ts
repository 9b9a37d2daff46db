import { expect, test } from 'vitest';
import { defaultOptions } from '../../../../bench/load/default-options.js';
import type { LoadGenerator } from '../../../../bench/load/generator/load-generator.js';
import { LoadMeasurer } from '../../../../bench/load/measure/load-measurer.js';
import { HandClock } from '../../../fakes/clock.js';
import { windowOf } from '../windows.js';

const REQUESTS = 100;

const window = windowOf({ requests: REQUESTS, responses: REQUESTS });

/** Has its answers before it is known to have begun: threads of its own are not waited for. */
function quickGenerator(): LoadGenerator {
  let answered = 0;
  return {
    start: async (_, requestLimit) => {
      answered += requestLimit;
    },
    get answered() {
      return answered;
    },
    get succeeded() {
      return answered;
    },
    take: async () => window,
    drain: async () => window,
    isOver: true,
    broken: new Promise(() => {}),
    close: async () => [],
  };
}

test('answers that come while the load begins are counted: nobody waits for more', async () => {
  const measurer = new LoadMeasurer({
    generator: quickGenerator(),
    observer: { look: async () => ({ counters: null, process: null, metrics: null }) },
    // It stands still: who waits, waits for ever.
    clock: new HandClock(),
    signal: new AbortController().signal,
    progress: { begin() {}, tick() {}, close() {} },
    options: { ...defaultOptions.measurement, requestCount: REQUESTS, warmupMs: 0 },
    requestTimeoutMs: 1000,
  });
  const { measured, ending } = await measurer.measure({ kind: 'closed', concurrency: 2 });
  expect(ending).toEqual({ kind: 'done' });
  expect(measured!.windows).toEqual([window]);
}, 5000);
