import { expect, test } from 'vitest';
import { reportText } from '../../../../bench/load/print/report-file.js';
import { parseReport } from '../../../../bench/report/read-report.js';
import { reportOf, resultOf, shareOf } from '../reports.js';

test('what is written is read', () => {
  const results = [resultOf({ models: [shareOf()] }, 97), resultOf({ requests: 0, throughput: 0 }, 97)];
  const report = reportOf(results, { percentile: 97 });
  expect(parseReport(reportText(report), 'a.json')).toEqual(report);
});
