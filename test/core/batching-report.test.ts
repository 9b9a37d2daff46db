import { describe, expect, test } from 'vitest';
import { normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { type BatchingNumbers, batchingReport } from '../../src/core/batching-report.js';

const reasons = { full: 0, preferred: 0, delay: 0, idle_instance: 0, shape_changed: 0, end_of_queue: 0 };

function report(config: string, numbers: Partial<BatchingNumbers>) {
  const parsed = normalizeConfig(parseModelConfig(`name: "m" backend: "onnxruntime" ${config}`, 'config.pbtxt'), {
    gpus: [],
  });
  return batchingReport(parsed, { executions: 0, sizes: [], reasons, rowsPerSecond: 0, liveSequences: 0, ...numbers });
}

const eight = 'max_batch_size: 8 dynamic_batching { }';
const lonely = {
  executions: 100,
  sizes: [
    { rows: 1, executions: 94 },
    { rows: 3, executions: 6 },
  ],
  reasons: { ...reasons, idle_instance: 94, end_of_queue: 6 },
};

describe('why batches are as large as they are', () => {
  test('small ones of an idle model, and which delay would help at the rate that is there', () => {
    expect(report(eight, { ...lonely, rowsPerSecond: 15_000 })).toEqual({
      sentences: [
        '100 batches ran, with 1.1 of at most 8 rows on average.',
        '94 % of them had 1 row.',
        '94 % ran at once because an instance was idle and max_queue_delay is 0.',
        '6 % took all that had come while the instance was busy.',
        'At the present 15000 rows per second a delay of 200 us would give about 4.',
      ],
      average_rows: 1.1,
      rows_per_second: 15_000,
      batches_by_rows: { 1: 94, 3: 6 },
      batches_by_reason: lonely.reasons,
    });
  });

  test.each([
    [eight, {}, 'Nothing has run yet.'],
    [eight, { ...lonely, rowsPerSecond: 10 }, 'even a delay of 10000 us would give only about 1.1.'],
    [eight, lonely, 'Nothing comes at present: ask again under load.'],
    ['max_batch_size: 0', {}, 'max_batch_size is 0: the model does not batch, each request runs alone.'],
    ['max_batch_size: 8', lonely, 'There is no dynamic_batching: each request runs alone.'],
    [
      'max_batch_size: 8 sequence_batching { }',
      { liveSequences: 1 },
      'A batch has at most one request of each sequence: 1 sequence is live now.',
    ],
    [
      'max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 500 }',
      { ...lonely, reasons: { ...reasons, delay: 100 } },
      '100 % had waited for max_queue_delay_microseconds 500.',
    ],
    [
      'max_batch_size: 8 sequence_batching { oldest { max_candidate_sequences: 4 max_queue_delay_microseconds: 700 } }',
      { ...lonely, reasons: { ...reasons, delay: 100 } },
      '100 % had waited for max_queue_delay_microseconds 700.',
    ],
    [
      'max_batch_size: 8 sequence_batching { direct { minimum_slot_utilization: 1 max_queue_delay_microseconds: 700 } }',
      { ...lonely, reasons: { ...reasons, delay: 100 } },
      '100 % had waited for max_queue_delay_microseconds 700.',
    ],
    [
      'max_batch_size: 8',
      { ...lonely, reasons: { ...reasons, full: 100 } },
      '100 % had others waiting behind them, which run alone too.',
    ],
  ])('%s, %j: %s', (config, numbers, sentence) => {
    expect(report(config, numbers).sentences.join('\n')).toContain(sentence);
  });

  test('what waits already, or is full, is not told to wait', () => {
    const full = { ...lonely, reasons: { ...reasons, full: 100 }, rowsPerSecond: 1e5 };
    expect(report(eight, full).sentences.join(' ')).not.toContain('a delay of');
  });
});
