import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Candidate } from '../../../bench/tune/space.js';
import { tunedConfig } from '../../../bench/tune/tuned-config.js';
import { parseModelConfig } from '../../../src/config/pbtxt.js';

const written = `# The two sums.
name: "sums"
platform: "onnxruntime_onnx"
max_batch_size: 8  # as many as fit
input [ { name: "A" data_type: TYPE_INT32 dims: [ 16 ] } ]
output [ { name: "B" data_type: TYPE_INT32 dims: [ 16 ] } ]
dynamic_batching {
  preferred_batch_size: [ 4, 8 ]
  max_queue_delay_microseconds: 100
}
instance_group [ { count: 1 kind: KIND_CPU } ]
parameters { key: "intra_op_thread_count" value { string_value: "1" } }
parameters { key: "mine" value { string_value: "kept" } }
`;

const candidate: Candidate = { instances: 2, maxBatchSize: 16, queueDelayUs: 500, threads: 3 };

test('only the values change', () => {
  expect(tunedConfig(written, 'config.pbtxt', candidate)).toBe(
    written
      .replace('max_batch_size: 8', 'max_batch_size: 16')
      .replace('microseconds: 100', 'microseconds: 500')
      .replace('count: 1', 'count: 2')
      .replace('string_value: "1"', 'string_value: "3"'),
  );
});

test('what is not written is added', () => {
  expect(tunedConfig('name: "sums"', 'config.pbtxt', candidate)).toBe(`name: "sums"
instance_group [ { count: 2 } ]
max_batch_size: 16
dynamic_batching { max_queue_delay_microseconds: 500 }
parameters { key: "intra_op_thread_count" value { string_value: "3" } }
`);
});

test('fields are added to messages that are there', () => {
  const text = 'dynamic_batching { }\ninstance_group [{kind: KIND_CPU}]\n';
  expect(tunedConfig(text, 'config.pbtxt', { ...candidate, maxBatchSize: 0, threads: null })).toBe(
    'dynamic_batching { max_queue_delay_microseconds: 500 }\ninstance_group [{kind: KIND_CPU count: 2 }]\n',
  );
});

test('what a candidate does without is taken out', () => {
  const tuned = tunedConfig(written, 'config.pbtxt', { ...candidate, queueDelayUs: null, threads: null });
  expect(tuned).not.toMatch('dynamic_batching');
  expect(tuned).not.toMatch('intra_op_thread_count');
  expect(tuned).toMatch('"kept"');
});

test('several instance groups are refused by name', () => {
  expect(() => tunedConfig('instance_group [ { count: 1 }, { count: 2 } ]', 'm/config.pbtxt', candidate)).toThrow(
    'm/config.pbtxt: expected one instance_group, found 2',
  );
});

test('a model without a file gets one', () => {
  const config = parseModelConfig(tunedConfig('', 'config.pbtxt', candidate), 'config.pbtxt');
  expect(config.instance_group).toHaveLength(1);
});

const texts = fc.constantFrom(
  written,
  '',
  'name: "x"',
  'dynamic_batching {}',
  'dynamic_batching { priority_levels: 2, }; instance_group { count: 4; kind: KIND_CPU }',
  'parameters: [{ key: "intra_op_thread_count" value: { string_value: "9" } }, { key: "b" value { string_value: "c" } }]',
  'max_batch_size: 4 # four\ninstance_group: [{ kind: KIND_CPU }] # on the CPU',
);
const candidates = fc.record({
  instances: fc.integer({ min: 1, max: 64 }),
  maxBatchSize: fc.integer({ min: 1, max: 512 }),
  queueDelayUs: fc.option(fc.integer({ min: 0, max: 10_000 })),
  threads: fc.option(fc.integer({ min: 1, max: 64 })),
});

test('any candidate can be read back from any text, and changing twice is as changing once', () => {
  fc.assert(
    fc.property(texts, candidates, candidates, (text, first, second) => {
      const once = tunedConfig(text, 'f', second);
      const config = parseModelConfig(once, 'f');
      expect(config.instance_group[0]!.count).toBe(second.instances);
      expect(config.max_batch_size).toBe(second.maxBatchSize);
      const delay = config.dynamic_batching?.max_queue_delay_microseconds;
      expect(delay === undefined ? null : Number(delay)).toBe(second.queueDelayUs);
      expect(config.parameters.intra_op_thread_count?.string_value ?? null).toBe(second.threads?.toString() ?? null);
      const twice = parseModelConfig(tunedConfig(tunedConfig(text, 'f', first), 'f', second), 'f');
      expect({ ...twice, dynamic_batching: null }).toEqual({ ...config, dynamic_batching: null });
    }),
  );
});
