import { describe, expect, test } from 'vitest';
import { batchingRule } from '../../src/check/rules-batching.js';
import { instanceRule } from '../../src/check/rules-instances.js';
import { labelRule } from '../../src/check/rules-labels.js';
import { parameterRule } from '../../src/check/rules-parameters.js';
import { queueRule } from '../../src/check/rules-queue.js';
import { rateLimiterRule } from '../../src/check/rules-rate-limiter.js';
import { sequenceRule } from '../../src/check/rules-sequence.js';
import { versionRule } from '../../src/check/rules-versions.js';
import { warmupRule } from '../../src/check/rules-warmup.js';
import type { Rule } from '../../src/check/subject.js';
import { signature } from '../config/signatures.js';
import { plainModel, type SubjectParts, subject, told } from './subjects.js';

const ends = `
input { name: "x" data_type: TYPE_FP32 dims: 3 }
output { name: "y" data_type: TYPE_FP32 dims: 2 }
`;
const full = `
input { name: "x" data_type: TYPE_FP32 dims: [ -1, 3 ] }
output { name: "y" data_type: TYPE_FP32 dims: [ -1, 2 ] }
`;

/** `line:column severity field`, and whether --fix does it. */
function places(rule: Rule, text: string, more: Partial<SubjectParts> = {}): string[] {
  return rule(subject({ text, ...more })).map(
    ({ line, column, severity, field, edits }) =>
      `${line}:${column} ${severity} ${field}${edits.length > 0 ? ' fixable' : ''}`,
  );
}

describe('batching', () => {
  const dynamic = (inside: string, size = 8) => `max_batch_size: ${size}${ends}dynamic_batching {${inside}}`;

  test('a model that could batch and does not: doubtful where nobody said so, a hint where somebody did', () => {
    expect(places(batchingRule, full)).toEqual(['1:1 warning max_batch_size']);
    expect(places(batchingRule, `${full}max_batch_size: 0`)).toEqual(['4:1 hint max_batch_size']);
    const fixed = signature(['x FP32 [-1,3]'], ['y FP32 [2]']);
    expect(places(batchingRule, full, { model: fixed })).toEqual([]);
  });

  test('no scheduling where batches could be made', () => {
    expect(places(batchingRule, `max_batch_size: 8${ends}`)).toEqual(['1:1 hint max_batch_size']);
    expect(places(batchingRule, `max_batch_size: 1${ends}`)).toEqual([]);
    expect(places(batchingRule, dynamic(' '))).toEqual([]);
    expect(places(batchingRule, '')).toEqual([]);
  });

  test('a size that is given twice', () => {
    expect(places(batchingRule, dynamic(' preferred_batch_size: [ 4, 2, 4 ] '))).toEqual([
      '4:50 hint dynamic_batching.preferred_batch_size[2] fixable',
    ]);
  });

  test('a delay where nobody waits', () => {
    const delay = '\n  max_queue_delay_microseconds: 100\n';
    expect(places(batchingRule, dynamic(delay, 1))).toEqual([
      '5:3 warning dynamic_batching.max_queue_delay_microseconds fixable',
    ]);
    expect(places(batchingRule, dynamic(`${delay}preferred_batch_size: 1`))).toEqual([
      '5:3 warning dynamic_batching.max_queue_delay_microseconds fixable',
    ]);
    expect(places(batchingRule, dynamic(delay))).toEqual([]);
    expect(places(batchingRule, dynamic(`${delay}preferred_batch_size: [ 1, 4 ]`))).toEqual([]);
  });

  test('direct sequences wait only with both settings', () => {
    const direct = (inside: string) => `max_batch_size: 8${ends}sequence_batching { direct { ${inside} } }`;
    expect(places(batchingRule, direct('max_queue_delay_microseconds: 5'))).toEqual([
      '4:30 warning sequence_batching.direct.max_queue_delay_microseconds fixable',
    ]);
    expect(places(batchingRule, direct('minimum_slot_utilization: 0.5'))).toEqual([
      '4:30 warning sequence_batching.direct.minimum_slot_utilization fixable',
    ]);
    expect(places(batchingRule, direct('minimum_slot_utilization: 0.5 max_queue_delay_microseconds: 5'))).toEqual([]);
  });

  test('a size that the candidates never make', () => {
    const text = `max_batch_size: 8${ends}sequence_batching { oldest { max_candidate_sequences: 4 preferred_batch_size: 8 } }`;
    expect(places(batchingRule, text)).toEqual(['4:57 warning sequence_batching.oldest.preferred_batch_size[0]']);
    expect(places(batchingRule, text.replace('size: 8 }', 'size: 4 }'))).toEqual([]);
  });
});

describe('queues', () => {
  const policy = (inside: string) => `dynamic_batching { default_queue_policy { ${inside} } }`;

  test('time-outs of requests and DELAY need a default', () => {
    expect(places(queueRule, policy('allow_timeout_override: true timeout_action: DELAY'))).toEqual([
      '1:43 warning dynamic_batching.default_queue_policy.allow_timeout_override fixable',
      '1:72 warning dynamic_batching.default_queue_policy.timeout_action fixable',
    ]);
    expect(places(queueRule, policy('allow_timeout_override: true default_timeout_microseconds: 9'))).toEqual([]);
    expect(places(queueRule, policy('max_queue_size: 3'))).toEqual([]);
  });

  test('levels need a number of them', () => {
    const two = 'priority_queue_policy { key: 2 value { max_queue_size: 1 } }';
    expect(places(queueRule, `dynamic_batching { default_priority_level: 1 ${two} }`)).toEqual([
      '1:20 warning dynamic_batching.default_priority_level fixable',
      '1:46 warning dynamic_batching.priority_queue_policy["2"] fixable',
    ]);
    expect(places(queueRule, `dynamic_batching { priority_levels: 2 default_priority_level: 1 ${two} }`)).toEqual([]);
  });

  test('a default that no level has', () => {
    const one = 'priority_queue_policy { key: 1 value { max_queue_size: 1 } }';
    const text = `dynamic_batching { priority_levels: 1 default_priority_level: 1 default_queue_policy { max_queue_size: 4 } ${one} }`;
    expect(places(queueRule, text)).toEqual(['1:65 hint dynamic_batching.default_queue_policy']);
  });
});

describe('instances and parameters', () => {
  const parameter = (key: string, value: string) => `parameters { key: "${key}" value { string_value: "${value}" } }\n`;

  test('more threads than cores', () => {
    const text = `${parameter('intra_op_thread_count', '3')}instance_group { count: 2 kind: KIND_CPU }`;
    expect(told(instanceRule, { text })).toEqual([
      '1:51 warning [threads] parameters["intra_op_thread_count"].string_value: 2 instances of 3 threads each are 6 threads on 4 cores',
    ]);
    expect(places(instanceRule, text, { machine: { cores: 6 } })).toEqual([]);
  });

  test('more instances than cores', () => {
    const text = 'instance_group { count: 5 kind: KIND_CPU }';
    expect(places(instanceRule, text)).toEqual(['1:1 warning instance_group']);
    expect(places(instanceRule, text, { machine: { cores: 8 } })).toEqual([]);
    expect(places(instanceRule, `${text.replace('}', 'passive: true }')}`)).toEqual([]);
    expect(places(instanceRule, '', { machine: { cores: 1 } })).toEqual([]);
  });

  test('threads between operators that run one after another', () => {
    const text = parameter('inter_op_thread_count', '2');
    expect(places(instanceRule, text)).toEqual(['1:1 warning parameters["inter_op_thread_count"]']);
    expect(places(instanceRule, text + parameter('execution_mode', '1'))).toEqual([]);
  });

  test('unknown keys, with the nearest known one', () => {
    const [near, far] = parameterRule(
      subject({ text: parameter('intra_op_threads_count', '1') + parameter('zzz', '1') }),
    );
    expect(near).toMatchObject({
      severity: 'warning',
      line: 1,
      fix: "write 'intra_op_thread_count', if that is what was meant",
    });
    expect(far).toMatchObject({ severity: 'warning', line: 2, fix: 'take it out' });
    expect(places(parameterRule, parameter('gpu_mem_limit', '1'))).toEqual(['1:1 hint parameters["gpu_mem_limit"]']);
  });

  test('values that the backend refuses', () => {
    expect(places(parameterRule, parameter('intra_op_thread_count', 'many'))).toEqual([
      '1:51 error parameters["intra_op_thread_count"].string_value',
    ]);
  });

  test('of a key that is given twice the first can go', () => {
    const text = `metric_tags { key: "a" value: "1" }\nmetric_tags { key: "a" value: "2" }`;
    expect(places(parameterRule, text)).toEqual(['1:13 warning metric_tags["a"] fixable']);
  });

  test('fields without effect are known by their place', () => {
    const text = `${ends}\ninstance_group { rate_limiter { priority: 2 } }`;
    expect(places(parameterRule, text)).toEqual(['5:18 hint instance_group[0].rate_limiter']);
  });
});

describe('rate limiter', () => {
  const groups = (...limiters: readonly string[]) =>
    limiters.map((text) => `instance_group { rate_limiter { ${text} } }`).join('\n');
  const resource = (name: string, more: string) => `resources { name: "${name}" ${more} }`;

  test.each<[string, string, string[]]>([
    ['what is right', groups(`${resource('R', 'count: 1')} priority: 2`), []],
    [
      'global here and not there',
      groups(resource('R', 'count: 1 global: true'), resource('r', 'count: 2')),
      ['2:33 warning'],
    ],
    ['named twice', groups(`${resource('R', 'count: 1')} ${resource('r', 'count: 2')}`), ['1:33 warning']],
    ['none of it', groups(resource('R', '')), ['1:33 hint']],
    ['a priority alone', groups('priority: 2'), ['1:33 hint']],
  ])('%s', (_, text, expected) => {
    const found = rateLimiterRule(subject({ text }));
    expect(found.map(({ line, column, severity }) => `${line}:${column} ${severity}`)).toEqual(expected);
  });
});

describe('labels', () => {
  const text = 'output { name: "y" data_type: TYPE_FP32 dims: 2 label_filename: "l.txt" }';
  const labels = (content: string | null) => ({ files: { labels: new Map([['l.txt', content]]), files: ['l.txt'] } });
  const found = (content: string | null) =>
    labelRule(subject({ text, ...labels(content) })).map(
      ({ file, line, severity, message }) =>
        `${file}:${line} ${severity} ${/\d+ labels|cannot be read/.exec(message)?.[0]}`,
    );

  test.each<[string | null, string[]]>([
    [null, ['/r/m/config.pbtxt:1 error cannot be read']],
    ['a\nb\n', []],
    ['a\r\nb', []],
    ['a\n', ['/r/m/l.txt:1 warning 1 labels']],
    ['a\nb\n\n', ['/r/m/l.txt:3 warning 3 labels']],
    ['a\nb\nc\nd', ['/r/m/l.txt:3 warning 4 labels']],
  ])('%j', (content, expected) => {
    expect(found(content)).toEqual(expected);
  });

  test('classes that differ from answer to answer are not counted', () => {
    const open = { text: text.replace('dims: 2', 'dims: -1'), ...labels('a') };
    expect(told(labelRule, open)).toEqual([]);
  });

  test('a file that nobody names', () => {
    const idle = labelRule(subject({ text: ends, files: { files: ['config.pbtxt', 'labels.txt'] } }));
    expect(idle.map(({ file, severity }) => `${file} ${severity}`)).toEqual(['/r/m/labels.txt hint']);
  });
});

describe('versions', () => {
  test('folders that the policy passes over', () => {
    expect(told(versionRule, { text: '', versions: [1, 2, 10] })).toEqual([
      '1:1 hint [versions] : version folders 1, 2 are never loaded: the version policy is latest { num_versions: 1 }',
    ]);
    expect(told(versionRule, { text: 'version_policy { all { } }', versions: [1, 2] })).toEqual([]);
  });

  test('versions that are named and not there', () => {
    const text = 'version_policy { specific { versions: [ 1, 7 ] } }';
    expect(places(versionRule, text)).toEqual(['1:44 warning version_policy.specific.versions[1]']);
  });

  test('no version at all', () => {
    const [finding] = versionRule(subject({ text: '', versions: [] }));
    expect(finding).toMatchObject({ severity: 'error', file: '/r/m', line: 1 });
  });

  test('folders that are nearly versions, and a model file beside them', () => {
    const folders = ['01', 'v2', 'old', 'warmup', '0'].map((name) => ({
      name,
      entries: name === 'old' ? ['model.onnx'] : [],
    }));
    const found = versionRule(subject({ text: '', files: { folders, files: ['model.onnx', 'README.md'] } }));
    expect(found.map(({ file, severity }) => `${file} ${severity}`)).toEqual([
      '/r/m/01 warning',
      '/r/m/v2 warning',
      '/r/m/old warning',
      '/r/m/0 warning',
      '/r/m/model.onnx warning',
    ]);
  });
});

describe('sequences', () => {
  test('a batcher that tells the model nothing', () => {
    expect(places(sequenceRule, 'sequence_batching { }')).toEqual(['1:1 warning sequence_batching']);
  });

  test('controls that clients would send', () => {
    const text = `input { name: "START" data_type: TYPE_FP32 dims: 1 }
sequence_batching { state { input_name: "a" output_name: "b" data_type: TYPE_FP32 dims: 1 } }`;
    expect(places(sequenceRule, text)).toEqual(['1:1 warning input[0]']);
  });

  test('inputs that look like controls where there are no sequences', () => {
    const model = signature(['x FP32 [-1,1]', 'START FP32 [-1,1]', 'READY FP32 [-1,1]'], ['y FP32 [-1,1]']);
    expect(told(sequenceRule, { text: '', model })[0]).toContain(
      "1:1 hint [sequence-controls] input: the model has inputs 'START', 'READY'",
    );
    expect(told(sequenceRule, { text: '', model: plainModel })).toEqual([]);
  });

  test('values that are the same for false and true', () => {
    const control = 'control_input { name: "S" control { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 1, 1 ] } }';
    expect(places(sequenceRule, `sequence_batching { ${control} }`)).toEqual([
      '1:86 warning sequence_batching.control_input[0].control[0].fp32_false_true',
    ]);
  });

  test('files of states', () => {
    const initial = 'initial_state { name: "i" data_type: TYPE_FP32 dims: 4 data_file: "f" }';
    const text = `sequence_batching { state { input_name: "a" output_name: "b" data_type: TYPE_FP32 dims: 4 ${initial} } }`;
    const sized = (bytes: number | null) =>
      places(sequenceRule, text, { files: { sizes: new Map([['initial_state/f', bytes]]) } });
    expect(sized(16)).toEqual([]);
    const expected = ['1:146 error sequence_batching.state[0].initial_state[0].data_file'];
    expect(sized(15)).toEqual(expected);
    expect(sized(null)).toEqual(expected);
  });
});

test('warm-up samples name inputs and files that are there', () => {
  const sample = (key: string, data: string) =>
    `model_warmup { name: "w" inputs { key: "${key}" value { data_type: TYPE_FP32 dims: 3 ${data} } } }`;
  expect(places(warmupRule, sample('x', 'zero_data: true'))).toEqual([]);
  expect(places(warmupRule, sample('z', 'zero_data: true'))).toEqual(['1:26 warning model_warmup[0].inputs["z"]']);
  const file = sample('x', 'input_data_file: "f"');
  expect(places(warmupRule, file)).toEqual(['1:81 error model_warmup[0].inputs["x"].input_data_file']);
  expect(places(warmupRule, file, { files: { sizes: new Map([['warmup/f', 12]]) } })).toEqual([]);
});
