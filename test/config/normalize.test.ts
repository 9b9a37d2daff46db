import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Machine, normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { anyModelConfig } from './arbitrary-config.js';

const cpuOnly: Machine = { gpus: [] };
const normalize = (text: string, machine = cpuOnly) =>
  normalizeConfig(parseModelConfig(`name: "m" ${text}`, 'config.pbtxt'), machine);
const groups = (text: string, machine = cpuOnly) =>
  normalize(text, machine).instance_group.map(({ name, kind, count, gpus }) => `${name} ${kind} ${count} [${gpus}]`);

describe('the version policy', () => {
  test('is the latest version where none is given', () => {
    expect(normalize('').version_policy).toEqual({ latest: { num_versions: 1 } });
    expect(normalize('version_policy { latest { } }').version_policy).toEqual({ latest: { num_versions: 1 } });
  });

  test('stays where one is given', () => {
    expect(normalize('version_policy { all { } }').version_policy).toEqual({ all: {} });
  });
});

describe('batching', () => {
  test('prefers full batches where nothing is preferred', () => {
    expect(normalize('max_batch_size: 8 dynamic_batching { }').dynamic_batching!.preferred_batch_size).toEqual([8]);
    expect(normalize('dynamic_batching { }').dynamic_batching!.preferred_batch_size).toEqual([]);
    expect(
      normalize('max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 }').dynamic_batching!
        .preferred_batch_size,
    ).toEqual([4]);
    const { sequence_batching } = normalize('max_batch_size: 8 sequence_batching { oldest { } }');
    expect(sequence_batching!.oldest!.preferred_batch_size).toEqual([8]);
  });

  test('lets a sequence idle for a second', () => {
    expect(normalize('sequence_batching { }').sequence_batching!.max_sequence_idle_microseconds).toBe(1_000_000);
    expect(
      normalize('sequence_batching { max_sequence_idle_microseconds: 5 }').sequence_batching!
        .max_sequence_idle_microseconds,
    ).toBe(5);
  });
});

describe('optimization', () => {
  test('pins memory unless told not to', () => {
    expect(normalize('').optimization).toEqual({
      priority: 'PRIORITY_DEFAULT',
      gather_kernel_buffer_threshold: 0,
      eager_batching: false,
      input_pinned_memory: { enable: true },
      output_pinned_memory: { enable: true },
    });
    expect(normalize('optimization { graph { level: 1 } input_pinned_memory { } }').optimization).toMatchObject({
      graph: { level: 1 },
      input_pinned_memory: { enable: false },
      output_pinned_memory: { enable: true },
    });
  });
});

describe('instance groups', () => {
  test('one group, called like the model, with the count of its backend', () => {
    expect(groups('backend: "onnxruntime"')).toEqual(['m KIND_CPU 2 []']);
    expect(groups('backend: "python"')).toEqual(['m KIND_CPU 1 []']);
    expect(normalize('').instance_group[0]).toMatchObject({ passive: false, host_policy: '', profile: [] });
  });

  test('the machine may say another count', () => {
    expect(groups('backend: "onnxruntime"', { gpus: [], cpuBackendDefaultCount: 3 })).toEqual(['m KIND_CPU 3 []']);
    expect(
      groups('backend: "onnxruntime" instance_group { count: 1 }', { gpus: [], cpuBackendDefaultCount: 3 }),
    ).toEqual(['m_0 KIND_CPU 1 []']);
  });

  test('groups without names are numbered by their place', () => {
    expect(groups('instance_group [ { count: 1 }, { name: "g" count: 2 }, { kind: KIND_MODEL } ]')).toEqual([
      'm_0 KIND_CPU 1 []',
      'g KIND_CPU 2 []',
      'm_2 KIND_MODEL 1 []',
    ]);
  });

  test.each([
    ['', [0, 1], 'm KIND_GPU 1 [0,1]'],
    ['instance_group { kind: KIND_AUTO gpus: [ 1 ] count: 3 }', [0, 1], 'm_0 KIND_GPU 3 [1]'],
    ['instance_group { gpus: [ 0, 2 ] }', [0, 1], 'm_0 KIND_CPU 2 [0,2]'],
    ['instance_group { kind: KIND_GPU }', [0, 1], 'm_0 KIND_GPU 1 [0,1]'],
    ['instance_group { kind: KIND_GPU }', [], 'm_0 KIND_GPU 1 []'],
    ['instance_group { kind: KIND_CPU }', [0], 'm_0 KIND_CPU 2 []'],
  ])('%s on a machine with the GPUs %j', (text, gpus, expected) => {
    expect(groups(`backend: "onnxruntime" ${text}`, { gpus })).toEqual([expected]);
  });
});

test('an ensemble gets neither instances nor optimization', () => {
  const config = normalize('platform: "ensemble" ensemble_scheduling { }');
  expect(config.instance_group).toEqual([]);
  expect(config).not.toHaveProperty('optimization');
});

test('normalising any configuration twice is normalising it once, and changes nothing in place', () => {
  fc.assert(
    fc.property(anyModelConfig(), fc.constantFrom([], [0], [0, 1]), (any, gpus) => {
      const config = { ...any, name: any.name || 'm' };
      const before = structuredClone(config);
      const once = normalizeConfig(config, { gpus });
      expect(normalizeConfig(once, { gpus })).toEqual(once);
      expect(config).toEqual(before);
    }),
    { numRuns: 100 },
  );
});
