import { expect, test } from 'vitest';
import { inMs, shortNumber } from '../../../../bench/load/print/format.js';
import { durationText } from '../../../../bench/report/page/format.js';

test('numbers have three digits that matter', () => {
  expect([0, 0.1234, 1.234, 12.34, 123.4, 1234.5].map(shortNumber)).toEqual([
    '0',
    '0.123',
    '1.23',
    '12.3',
    '123',
    '1,235',
  ]);
});

test('halves are rounded as reports and their comparison round them', () => {
  for (const us of [1005, 1115, 2675, 10_450, 99_850]) expect(Number(inMs(us))).toBe(parseFloat(durationText(us)));
});
