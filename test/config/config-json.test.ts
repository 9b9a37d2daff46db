import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modelConfigToJson } from '../../src/config/config-json.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { anyModelConfig } from './arbitrary-config.js';

const json = (text: string): string => modelConfigToJson(parseModelConfig(text, 'config.pbtxt'));

test('defaults are written, unset messages and branches are not, in the order of the message', () => {
  expect(json('parameters { key: "k" value { string_value: "v" } } backend: "b" name: "m"')).toBe(
    '{"name":"m","platform":"","backend":"b","runtime":"","max_batch_size":0,"input":[],"output":[],"batch_input":[],' +
      '"batch_output":[],"instance_group":[],"default_model_filename":"","cc_model_filenames":{},"metric_tags":{},' +
      '"parameters":{"k":{"string_value":"v"}},"model_warmup":[]}',
  );
});

test('an input has all its fields, an empty reshape stays visible', () => {
  expect(JSON.parse(json('input { name: "x" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }')).input).toEqual(
    [
      {
        name: 'x',
        data_type: 'TYPE_FP32',
        format: 'FORMAT_NONE',
        dims: [1],
        reshape: { shape: [] },
        is_shape_tensor: false,
        allow_ragged_batch: false,
        optional: false,
        is_non_linear_format_io: false,
      },
    ],
  );
});

test('the scheduling choice stands between optimization and instance_group', () => {
  const keys = Object.keys(
    JSON.parse(json('dynamic_batching { } optimization { } instance_group { } version_policy { }')),
  );
  expect(keys.slice(4, 5)).toEqual(['version_policy']);
  expect(keys.slice(keys.indexOf('optimization'), keys.indexOf('default_model_filename'))).toEqual([
    'optimization',
    'dynamic_batching',
    'instance_group',
  ]);
});

describe('numbers', () => {
  test('64-bit integers are exact numbers', () => {
    const text = json(
      'dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 priority_levels: 9007199254740993 }',
    );
    expect(text).toContain('"max_queue_delay_microseconds":18446744073709551615');
    expect(text).toContain('"priority_levels":9007199254740993');
  });

  test('three fields are strings', () => {
    const text = json(
      'sequence_batching { state { dims: 1 initial_state { dims: [ 1, 2 ] } } } ' +
        'instance_group { secondary_devices { device_id: 3 } } ' +
        'optimization { cuda { graph_spec { input { key: "x" value { dim: 4 } } graph_lower_bound { input { key: "x" value { dim: 5 } } } } } }',
    );
    expect(text).toContain('"dims":[1],');
    expect(text).toContain('"dims":["1","2"]');
    expect(text).toContain('"device_id":"3"');
    expect(text).toContain('"dim":["4"]');
    expect(text).toContain('"dim":["5"]');
  });

  test('FP32 has as many digits as it needs, and what JSON cannot say is a string', () => {
    const text = json(
      'sequence_batching { control_input { control { fp32_false_true: [ 0.1, 16777216, 1e-7, nan, -inf ] } } }',
    );
    expect(text).toContain('"fp32_false_true":[0.1,16777216,1e-7,"NaN","-Infinity"]');
    expect(json('model_metrics { metric_control { histogram_options { buckets: [ 0.1, 1e300 ] } } }')).toContain(
      '[0.1,1e+300]',
    );
  });
});

test('any configuration is JSON that says it again', () => {
  fc.assert(
    fc.property(anyModelConfig(), (config) => {
      const read = JSON.parse(modelConfigToJson(config)) as Record<string, unknown>;
      expect(Object.keys(read).sort()).toEqual(Object.keys(config).sort());
      expect(read.name).toBe(config.name);
      expect(read.metric_tags).toEqual({ ...config.metric_tags });
      expect(read.instance_group).toMatchObject(
        config.instance_group.map(({ name, kind, gpus }) => ({ name, kind, gpus })),
      );
      expect(read.dynamic_batching === undefined).toBe(config.dynamic_batching === undefined);
    }),
    { numRuns: 100 },
  );
});

test('any FP32 value is read back as itself', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = json(`sequence_batching { direct { minimum_slot_utilization: ${value} } }`);
      const printed = JSON.parse(text).sequence_batching.direct.minimum_slot_utilization as number;
      expect(Math.fround(printed) + 0).toBe(value + 0);
    }),
  );
});
