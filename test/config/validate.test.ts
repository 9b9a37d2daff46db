import { describe, expect, test } from 'vitest';
import { type Machine, normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { validateConfig } from '../../src/config/validate.js';
import { refusal } from './refusal.js';

const cpuOnly: Machine = { gpus: [] };
const ONNX = 'platform: "onnxruntime_onnx" backend: "onnxruntime"';

const parse = (text: string) => parseModelConfig(text, 'config.pbtxt');

/** A configuration of an ONNX model named m that says `text` too, normalised and held against all rules. */
function verdict(text: string, machine = cpuOnly): string {
  return refusal(() => validateConfig(normalizeConfig(parse(`name: "m" ${ONNX} ${text}`), machine), machine, true));
}

function refused(what: string): string {
  return `Invalid argument: ${what}`;
}

describe('general', () => {
  const general = (text: string) => refusal(() => validateConfig(normalizeConfig(parse(text), cpuOnly), cpuOnly, true));

  test.each([
    [`${ONNX}`, "model configuration must specify 'name'"],
    ['name: "m"', "must specify 'platform' or 'backend' for 'm'"],
    ['name: "m" platform: "p"', "unexpected platform type 'p' for m"],
    [
      'name: "m" platform: "ensemble" backend: "b"',
      "Ensemble model 'm' must have platform type 'ensemble' and empty backend type",
    ],
    [
      'name: "m" platform: "tensorrt_plan" backend: "onnxruntime"',
      "unexpected 'platform' and 'backend' pair, got:tensorrt_plan, onnxruntime",
    ],
    ['name: "m" platform: "p" backend: "pytorch"', "unexpected 'platform' and 'backend' pair, got:p, pytorch"],
    [
      'name: "m" platform: "pytorch_libtorch" backend: "mine"',
      "unexpected 'platform' and 'backend' pair, got:pytorch_libtorch, mine",
    ],
    [`name: "m" ${ONNX} max_batch_size: -1`, "'max_batch_size' must be non-negative value for m"],
    [
      `name: "m" ${ONNX} version_policy { specific { versions: 9007199254740993 } }`,
      'version policy names version 9007199254740993 for m, expected an integer from 0 to 9007199254740991',
    ],
  ])('%s', (text, expected) => {
    expect(general(text)).toBe(refused(expected));
  });

  test('a platform of its own is the business of a backend that is not known', () => {
    expect(general('name: "m" backend: "mine" platform: "p"')).toBe('accepted');
    expect(general('name: "m" backend: "mine"')).toBe('accepted');
  });

  test('the version policy is normalised before', () => {
    expect(refusal(() => validateConfig(parse(`name: "m" ${ONNX}`), cpuOnly, false))).toBe(
      refused("must specify 'version policy' for m"),
    );
  });
});

describe('dynamic batching', () => {
  const levels = (text: string) =>
    `max_batch_size: 8 dynamic_batching { priority_levels: 2 default_priority_level: 1 ${text} }`;
  const ordering = (text: string) => `max_batch_size: 8 dynamic_batching { preserve_ordering: true ${text} }`;
  const delay = 'timeout_action: DELAY';

  test.each([
    [
      'max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 0 ] }',
      'dynamic batching preferred size must be positive for m',
    ],
    [
      'max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 9 ] }',
      'dynamic batching preferred size must be <= max batch size for m',
    ],
    [
      'max_batch_size: 8 dynamic_batching { priority_levels: 2 }',
      'default priority level must be in range [1, 2] for m',
    ],
    [
      'max_batch_size: 8 dynamic_batching { priority_levels: 2 default_priority_level: 3 }',
      'default priority level must be in range [1, 2] for m',
    ],
    [
      levels('priority_queue_policy { key: 3 value { } }'),
      'priority queue policy must have priority level in range [1, 2] for m',
    ],
    [
      levels('priority_queue_policy { value { } }'),
      'priority queue policy must have priority level in range [1, 2] for m',
    ],
    [levels('preserve_ordering: true'), "Only one priority level is allowed when 'preserve_ordering' is true for m"],
    [
      ordering(`default_queue_policy { ${delay} default_timeout_microseconds: 1 }`),
      "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for m",
    ],
    [
      ordering(
        `priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 1 value { ${delay} default_timeout_microseconds: 1 } }`,
      ),
      "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for m",
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(refused(expected));
  });

  test.each([
    ['max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 1, 8 ] }'],
    [levels('priority_queue_policy { key: 2 value { } }')],
    [ordering(`default_queue_policy { ${delay} allow_timeout_override: true }`)],
    [ordering('default_queue_policy { default_timeout_microseconds: 18446744073709551615 }')],
    [
      'max_batch_size: 1 dynamic_batching { priority_levels: 18446744073709551615 default_priority_level: 18446744073709551615 }',
    ],
  ])('accepted: %s', (text) => {
    expect(verdict(text)).toBe('accepted');
  });
});

describe('instance groups', () => {
  test.each([
    [
      'instance_group { kind: KIND_CPU gpus: 0 }',
      [0],
      'instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs',
    ],
    [
      'instance_group { name: "g" kind: KIND_MODEL gpus: 0 }',
      [0],
      'instance group g of model m has kind KIND_MODEL but specifies one or more GPUs',
    ],
    [
      'instance_group { kind: KIND_GPU gpus: [ 0, 3 ] }',
      [0, 1],
      'instance group m_0 of model m specifies invalid or unsupported gpu id 3. GPUs that can be used are: 0, 1',
    ],
    [
      'instance_group { profile: "1" }',
      [],
      'instance group m_0 of model m and platform onnxruntime_onnxspecifies profile field which is only supported for TensorRT models',
    ],
  ])('%s', (text, gpus, expected) => {
    expect(verdict(text, { gpus })).toBe(refused(expected));
  });

  test('a GPU group needs a GPU, and says what to do', () => {
    const text = verdict('instance_group { kind: KIND_GPU }');
    expect(text).toContain('instance group m_0 of model m has kind KIND_GPU but no GPUs are available');
    expect(text).toContain('or set kind: KIND_CPU');
    expect(verdict('instance_group { kind: KIND_GPU }', { gpus: [0] })).toBe('accepted');
  });

  test('are normalised before', () => {
    const config = parse(`name: "m" ${ONNX} version_policy { all { } }`);
    expect(refusal(() => validateConfig(config, cpuOnly, true))).toBe(
      refused("must specify one or more 'instance group's for m"),
    );
    const onGpu = parse(`name: "m" ${ONNX} version_policy { all { } } instance_group { kind: KIND_GPU }`);
    expect(refusal(() => validateConfig(onGpu, { gpus: [0] }, true))).toContain(
      'has kind KIND_GPU but specifies no GPUs',
    );
  });
});

describe('the response cache', () => {
  test.each([
    ['sequence_batching { }', 'sequence batching scheduler'],
    ['model_transaction_policy { decoupled: true }', "'decoupled' transaction policy"],
  ])('does not go with %s', (text, what) => {
    expect(verdict(`response_cache { enable: true } ${text}`)).toBe(
      refused(`Response Cache does not currently support model m with ${what}. Please disable the response cache.`),
    );
    expect(verdict(`response_cache { enable: false } ${text}`)).toBe('accepted');
    expect(verdict(text)).toBe('accepted');
  });
});

describe('metrics', () => {
  const metric = (text: string) => `model_metrics { metric_control { ${text} } }`;

  test.each([
    [metric(''), "metric control must specify 'metric_identifier'"],
    [metric('metric_identifier { }'), "metric identifier must specify non-empty 'family'"],
    [metric('metric_identifier { family: "f" }'), "metric control must specify 'histogram_options'"],
    [
      metric('metric_identifier { family: "f" } histogram_options { }'),
      "histogram options must specify non-empty 'buckets'",
    ],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(refused(expected));
  });

  test('are accepted with a family and buckets', () => {
    expect(verdict(metric('metric_identifier { family: "f" } histogram_options { buckets: [ 1, 2 ] }'))).toBe(
      'accepted',
    );
  });
});

describe('warm-up', () => {
  const warmup = (text: string) => `model_warmup { inputs { key: "x" value { ${text} } } }`;

  test.each([
    [
      warmup('dims: [ 1, -1 ] zero_data: true'),
      "warmup setting expects all variable-size dimensions are specified for input 'x'",
    ],
    [
      warmup('dims: [ 9007199254740993 ] zero_data: true'),
      "warmup setting expects all variable-size dimensions are specified for input 'x'",
    ],
    [warmup('dims: [ 1 ]'), "warmup setting expects input 'x' to have input_data_type set"],
  ])('%s', (text, expected) => {
    expect(verdict(text)).toBe(refused(expected));
  });

  test('is accepted with concrete dims and a source', () => {
    expect(verdict(warmup('dims: [ 1, 4 ] random_data: true'))).toBe('accepted');
  });
});

test('a first look leaves tensors and instances to the second', () => {
  const config = normalizeConfig(parse(`name: "m" ${ONNX} input { } instance_group { kind: KIND_GPU }`), cpuOnly);
  expect(refusal(() => validateConfig(config, cpuOnly, false))).toBe('accepted');
  expect(refusal(() => validateConfig(config, cpuOnly, true))).toBe(refused("model input must specify 'name' for m"));
});
