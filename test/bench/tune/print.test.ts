import { expect, test } from 'vitest';
import { failedMeasurement } from '../../../bench/tune/measurement.js';
import { candidateText, trialLine, tuneSummary } from '../../../bench/tune/print.js';
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

const point = { instances: 1, maxBatchSize: 0, queueDelayUs: null, threads: null, concurrency: 4 };

test('what failed says why, in one line', () => {
  const measurement = failedMeasurement('the server ended before it was ready:\nE1126 no such op\n');
  const line = trialLine({ point, measurement, isWithinLimits: false }, 3, 'search');
  expect(line).toBe(
    'search 3: 1 instance, 4 in flight: failed: the server ended before it was ready: E1126 no such op\n',
  );
});

test('where nothing worked there are no figures, and a reason', () => {
  const current = { point, measurement: failedMeasurement('no memory'), isWithinLimits: false, result: null };
  const text = tuneSummary({ ...whole, trials: [current], best: [], current }, false);
  expect(text).toMatch(/│ now │ +1 │ +0 │ +- │ +- │ +4 │ +0 │ +- │ +- │/);
  expect(text).toContain('Nothing that was tried worked: no memory');
});

test('the least latency that is told is the least of all that was measured, also again', () => {
  const [first] = whole.trials;
  const current = { ...first!, measurement: { ...first!.measurement, latencyUs: 1234 }, result: null };
  const limits = { latencyUs: 1, memoryBytes: null };
  const text = tuneSummary({ ...whole, limits, best: [], current }, false);
  expect(text).toContain('Nothing that was tried is within the limits; the least p99 was 1.23 ms.');
});
