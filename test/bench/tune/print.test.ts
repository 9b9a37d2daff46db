import { expect, test } from 'vitest';
import { candidateText, tuneSummary } from '../../../bench/tune/print.js';
import { sampleTuneReport } from './sample-report.js';

const whole = await sampleTuneReport();
const cut = await sampleTuneReport({ most: 5 });
const UNCONFIRMED = 'It was interrupted before the best was measured again';

test.each([
  ['by itself', whole, `${whole.trials.length} of ${whole.gridPoints} points measured on ${whole.cores} cores`],
  ['by time', cut, `5 of ${cut.gridPoints} points measured on ${whole.cores} cores, then the time was up`],
  [
    'by the user',
    { ...cut, isInterrupted: true },
    `5 of ${cut.gridPoints} points measured on ${whole.cores} cores, then it was interrupted`,
  ],
  [
    'by the user, who is too late',
    { ...whole, cores: 1, isInterrupted: true },
    `${whole.trials.length} of ${whole.gridPoints} points measured on 1 core, then it was interrupted`,
  ],
])('the first line says how a search ended: %s', (_, report, line) => {
  const [title] = tuneSummary(report, false).split('\n');
  expect(title).toBe(`resnet50: ${line}`);
  expect(tuneSummary(report, false)).not.toContain(UNCONFIRMED);
});

test('what was not measured again is called so', () => {
  const best = whole.best.map((confirmed) => ({ ...confirmed, result: null }));
  expect(tuneSummary({ ...whole, best, isInterrupted: true }, false)).toContain(UNCONFIRMED);
});

test('one is not many', () => {
  const candidate = { maxBatchSize: 8, queueDelayUs: null };
  expect(candidateText({ ...candidate, instances: 1, threads: 1 })).toBe('1 instance, batches of 8, 1 thread');
  expect(candidateText({ ...candidate, instances: 2, threads: 4 })).toBe('2 instances, batches of 8, 4 threads');
});
