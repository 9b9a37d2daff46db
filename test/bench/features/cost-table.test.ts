import { expect, test } from 'vitest';
import { costTable } from '../../../bench/features/cost-table.js';
import { httpFeatures } from '../../../bench/features/http-features.js';

const sample = (cpuUs: number, rate: number) => ({ rate, p50Us: null, p99Us: null, cpuUs });

test('a row says how on relates to off, round by round', () => {
  const [feature] = httpFeatures;
  const off = [sample(10, 1000), sample(20, 500), sample(30, 400)];
  const on = [sample(11, 900), sample(22, 450), sample(33, 360)];
  const { header, rows } = costTable([{ feature: feature!, on, off }]);
  expect(rows).toEqual([[feature!.title, '3', '20.0', '22.0', '1.100 [1.100, 1.100]', '0.900 [0.900, 0.900]']]);
  expect(header).toHaveLength(6);
});
