import { expect, test } from 'vitest';
import { measurePart, SAMPLE_MS, sampled } from '../../../bench/micro/measure.js';
import { nanoseconds, partsTable } from '../../../bench/micro/report.js';

/** A machine where an operation takes so many milliseconds. */
function machine(opMs: number) {
  const counts: number[] = [];
  return {
    counts,
    run: async (count: number) => {
      counts.push(count);
      return count * opMs;
    },
  };
}

test.each([1e-5, 3e-4, 0.7, 19, 250])(
  'with operations of %d ms a sample lasts long enough, and not for ever',
  async (opMs) => {
    const { counts, run } = machine(opMs);
    const { opsPerSample, samplesNs } = await sampled(run, 7);
    expect(opsPerSample * opMs).toBeGreaterThanOrEqual(SAMPLE_MS);
    expect(opsPerSample * opMs).toBeLessThanOrEqual(Math.max(2.5 * SAMPLE_MS, opMs));
    expect(counts.slice(-7)).toEqual(new Array(7).fill(opsPerSample));
    expect(samplesNs).toHaveLength(7);
    for (const ns of samplesNs) expect(ns / (opMs * 1e6)).toBeCloseTo(1, 9);
  },
);

test('every operation is called with its number, and the part is torn down', async () => {
  const seen = new Set<number>();
  let isDown = false;
  const part = {
    name: 'test/part',
    about: '',
    setUp: () => ({
      step: (nth: number) => seen.add(nth).size,
      tearDown: async () => {
        isDown = true;
      },
    }),
  };
  const { opsPerSample } = await measurePart(part, 1);
  expect(seen.has(0)).toBe(true);
  expect(seen.has(opsPerSample - 1)).toBe(true);
  expect(isDown).toBe(true);
});

test('a part whose results are no numbers fails, and is torn down', async () => {
  let isDown = false;
  const running = {
    burst: async () => Number.NaN,
    tearDown: async () => {
      isDown = true;
    },
  };
  await expect(measurePart({ name: 'test/part', about: '', setUp: () => running }, 1)).rejects.toThrow(
    'test/part: the results add up to NaN: expected numbers',
  );
  expect(isDown).toBe(true);
});

test('the table has medians and quartiles with three digits that say something', () => {
  expect([0.1234, 9.876, 12.34, 99.96, 100.4, 12345.6].map(nanoseconds)).toEqual([
    '0.12',
    '9.88',
    '12.3',
    '100.0',
    '100',
    '12,346',
  ]);
  const part = { name: 'a/b', about: 'one thing', opsPerSample: 10, samplesNs: [50, 10, 30, 20, 40] };
  expect(partsTable([part]).rows).toEqual([['a/b', '30.0', '[20.0, 40.0]', 'one thing']]);
});
