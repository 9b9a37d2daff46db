import { expect, test } from 'vitest';
import { loadFigures } from '../../../bench/compare/load-side.js';
import { sidesInOrder } from '../../../bench/compare/rounds.js';
import { comparisonText } from '../../../bench/compare/table.js';

test('rounds go A B, B A, A B, B A', () => {
  expect([0, 1, 2, 3].flatMap(sidesInOrder).join('')).toBe('abbaabba');
});

test('a comparison is printed with medians, ratio, interval and verdict, and with what was not compared', () => {
  const figures = [
    { name: 'grpc/read', unit: 'ns', better: 'lower', a: [100, 102, 98], b: [80, 81.6, 78.4] },
    { name: 'ring/batches', unit: 'ns', better: 'lower', a: [4000, 4000], b: [4000, 4400] },
  ] as const;
  const skipped = [{ name: 'json/new', reason: 'not in A: it has none' }];
  expect(comparisonText({ figures, skipped })).toBe(`\
figure        unit  median A  median B  B / A [95 %]          B is
------------  ----  --------  --------  --------------------  -------------------
grpc/read     ns    100       80.0      0.800 [0.800, 0.800]  faster
ring/batches  ns    4,000     4,200     1.049 [0.572, 1.922]  no difference shown

not compared  why
------------  ---------------------
json/new      not in A: it has none`);
});

test('of a load, a higher rate and a lower time are better', () => {
  const sample = { rate: 1000, cpuUs: 20, p50Us: 300, p99Us: 900 };
  const text = comparisonText({
    figures: loadFigures(
      [sample, sample],
      [
        { ...sample, rate: 1100, cpuUs: 22 },
        { ...sample, rate: 1100, cpuUs: 22 },
      ],
    ),
    skipped: [],
  });
  expect(text).toMatch(/^rate .* 1\.100 \[1\.100, 1\.100\] {2}faster$/m);
  expect(text).toMatch(/^CPU time of a request .* 1\.100 \[1\.100, 1\.100\] {2}slower$/m);
  expect(text).toMatch(/^p99 .* 1\.000 \[1\.000, 1\.000\] {2}no difference shown$/m);
});
