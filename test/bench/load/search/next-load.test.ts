import { expect, test } from 'vitest';
import { defaultOptions } from '../../../../bench/load/default-options.js';
import type { Load } from '../../../../bench/load/load.js';
import type { LoadPlan } from '../../../../bench/load/options.js';
import { levelOf, maxInFlight, nextLoad } from '../../../../bench/load/search/next-load.js';

const none = { kind: 'none' } as const;
const range = { start: 2, end: 4, step: 2 };

function all(plan: LoadPlan, content: Parameters<typeof nextLoad>[1] = none) {
  const results: { load: Load; isWithinLimit: boolean }[] = [];
  const names: string[] = [];
  const next = () => nextLoad(plan, content, 7, results, 99);
  for (let planned = next(); planned !== null; planned = next()) {
    results.push({ load: planned.load, isWithinLimit: true });
    names.push(planned.name);
  }
  return { loads: results.map(({ load }) => load), names };
}

test('concurrency: closed loads, named after it', () => {
  expect(all({ kind: 'concurrency', range, search: 'linear' })).toEqual({
    loads: [
      { kind: 'closed', concurrency: 2 },
      { kind: 'closed', concurrency: 4 },
    ],
    names: ['2', '4'],
  });
});

test('rates: open loads, of either distribution', () => {
  const constant = all({ kind: 'rate', range, search: 'binary', distribution: 'constant' });
  expect(constant.names).toEqual(['2/s', '4/s']);
  expect(constant.loads[0]).toEqual({
    kind: 'open',
    arrivals: { kind: 'constant', ratePerSecond: 2 },
    maxInFlight: 99,
  });
  const poisson = all({ kind: 'rate', range, search: 'linear', distribution: 'poisson' });
  expect(poisson.loads[1]).toMatchObject({ arrivals: { kind: 'poisson', ratePerSecond: 4, seed: 7 } });
});

test('files: one load each, named after the file, at its mean rate', () => {
  const gaps = all({ kind: 'intervals', file: 'a/gaps.txt' }, { kind: 'intervals', gapsUs: [100, 300] });
  expect(gaps.names).toEqual(['gaps.txt']);
  expect(levelOf(gaps.loads[0]!)).toBe(5000);
  const phases = [
    { seconds: 1, fromPerSecond: 0, toPerSecond: 100 },
    { seconds: 3, fromPerSecond: 10, toPerSecond: 10 },
  ];
  const profile = all({ kind: 'profile', file: 'day.json', distribution: 'poisson' }, { kind: 'profile', phases });
  expect(profile.names).toEqual(['day.json']);
  expect(levelOf(profile.loads[0]!)).toBe(20);
});

test('periodic: one load', () => {
  const { loads, names } = all({ kind: 'periodic', range: { start: 1, end: 9, step: 4 }, period: 5 });
  expect({ loads, names }).toEqual({ loads: [{ kind: 'closed', concurrency: 9 }], names: ['1:9:4'] });
});

test('in flight with a rate: over HTTP as many as there are connections, of sequences as many as are alive', () => {
  expect(maxInFlight(defaultOptions, false)).toBe(128);
  expect(maxInFlight({ ...defaultOptions, connections: 7 }, false)).toBe(7);
  expect(maxInFlight({ ...defaultOptions, protocol: 'grpc', connections: 7 }, false)).toBe(512);
  expect(maxInFlight({ ...defaultOptions, inProcess: { modelRepository: ['m'], loadModels: [] } }, false)).toBe(512);
  expect(maxInFlight(defaultOptions, true)).toBe(defaultOptions.sequences.count);
});
